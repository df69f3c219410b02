"""Ends each operation of a socket by a deadline, for the calls of a client that sends.

botocore's read time-out counts from byte to byte, so that a server which sends a byte each second is waited
for without end. Here, a call has a deadline (`within`), and what connects, writes and reads for it waits no
longer than until then. So does the look-up of a host's name, for which each new connection to one has a
thread, and a `credential_process`.
"""

from __future__ import annotations

import io
import ipaddress
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, InvalidStateError, wait
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from http.client import HTTPResponse
from typing import Any

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)
from botocore.credentials import ProcessProvider
from botocore.exceptions import CredentialRetrievalError
from urllib3.exceptions import ConnectTimeoutError

from squids.errors import SquidsError

_until: ContextVar[float | None] = ContextVar("squids_send_until", default=None)

CHUNK = 64 * 1024
"""Bytes that are written under one time-out: TLS counts again for each of its records."""

LEAST = 0.001
"""Seconds to wait once the time is up: a time-out of 0 would mean not to wait for the system at all."""


class TimeIsUp(SquidsError):
    """The deadline of the call has passed. botocore does not retry it, as it would its own time-outs."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Give the calls in this block a deadline, unless they have one from a block around it."""
    if _until.get() is not None:
        yield
        return
    token = _until.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _until.reset(token)


def seconds_left() -> float | None:
    """Return the seconds until the deadline, at least 0; None if there is none."""
    until = _until.get()
    return None if until is None else max(0.0, until - time.monotonic())


def bound_time(client: Any) -> None:
    """Make a new botocore client keep deadlines."""
    session = client._endpoint.http_session
    session = getattr(session, "wrapped", session)
    session._pool_classes_by_scheme = _POOLS  # For proxies, whose managers are made later.
    session._manager.pool_classes_by_scheme = _POOLS
    client.meta.events.register("before-send.sqs", _check)


def bound_credentials(session: Any) -> None:
    """Make the `credential_process` of botocore's session keep deadlines, also that of a role's source."""
    for provider in session.get_component("credential_provider").providers:
        if isinstance(provider, ProcessProvider):
            _bound(provider)
        builder = getattr(provider, "_profile_provider_builder", None)
        make = getattr(builder, "_create_process_provider", None)
        if builder is not None and make is not None:
            builder._create_process_provider = lambda name, make=make: _bound(make(name))


def _bound(provider: Any) -> Any:
    provider._popen = _TimedProcess
    return provider


class _TimedProcess(subprocess.Popen[bytes]):
    """A `credential_process`. It is killed if it takes too long."""

    def communicate(self, *_: object, **__: object) -> tuple[bytes, bytes]:
        left = seconds_left()
        try:
            return super().communicate(timeout=None if left is None else max(left, LEAST))
        except subprocess.TimeoutExpired:
            self.kill()
            with self:  # Not `communicate`: what it has started may hold the pipes.
                text = "it did not end in time"
                raise CredentialRetrievalError(provider=ProcessProvider.METHOD, error_msg=text) from None


def _check(**_: object) -> None:
    if seconds_left() == 0.0:
        raise TimeIsUp


class _TimedFile(io.RawIOBase):
    """What is read of a socket, each time within the time that is left."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._file = sock.makefile("rb", buffering=0)
        self._longest: float | None = sock.gettimeout()

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return int(self._file.fileno())

    def readinto(self, buffer: Any) -> int | None:
        left = seconds_left()
        if left is not None:
            self._sock.settimeout(_shorter(self._longest, left))
        return self._file.readinto(buffer)  # type: ignore[no-any-return]

    def close(self) -> None:
        super().close()
        self._file.close()


class _TimedSocket:
    """Stands for a socket in `HTTPResponse`, which only makes a file of it."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock

    def makefile(self, *_: object) -> io.BufferedReader:
        return io.BufferedReader(_TimedFile(self._sock))


class _TimedResponse(HTTPResponse):
    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(_TimedSocket(sock), *args, **kwargs)  # type: ignore[arg-type]


class _Timed:
    """Makes a connection of botocore keep deadlines."""

    response_class = _TimedResponse

    def connect(self) -> None:
        here: Any = self
        left = seconds_left()
        if left is not None:
            here.timeout = _shorter(here.timeout, left)
        super().connect()  # type: ignore[misc]

    def _new_conn(self) -> Any:
        here: Any = self
        connect = super()._new_conn  # type: ignore[misc]
        left = seconds_left()
        if left is None or _is_address(here.host):
            return connect()
        try:
            made = _in_thread(connect)
        except RuntimeError:  # The interpreter is exiting.
            return connect()
        wait([made], max(left, LEAST))
        if made.cancel():
            raise ConnectTimeoutError(here, f"{here.host}: no connection in time")
        return made.result()

    def send(self, data: Any) -> Any:
        here: Any = self
        if here.sock is None:
            here.connect()  # Else the whole body would have to be written within the time-out of a connect.
        left = seconds_left()
        if left is None or not isinstance(data, bytes | bytearray):
            return super().send(data)  # type: ignore[misc]
        view = memoryview(data)
        for start in range(0, len(view), CHUNK):
            here.sock.settimeout(_shorter(None, seconds_left() or 0.0))
            super().send(bytes(view[start : start + CHUNK]))  # type: ignore[misc]
        return None


class _TimedConnection(_Timed, AWSHTTPConnection):  # type: ignore[misc]
    pass


class _TimedTLSConnection(_Timed, AWSHTTPSConnection):  # type: ignore[misc]
    pass


class _TimedPool(AWSHTTPConnectionPool):
    ConnectionCls = _TimedConnection


class _TimedTLSPool(AWSHTTPSConnectionPool):
    ConnectionCls = _TimedTLSConnection


_POOLS = {"http": _TimedPool, "https": _TimedTLSPool}


def _is_address(host: str) -> bool:
    """Whether it needs no look-up."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _in_thread(connect: Callable[[], Any]) -> Future[Any]:
    """Connect in a thread. If the answer is cancelled meanwhile, the connection is closed."""
    made: Future[Any] = Future()

    def run() -> None:
        try:
            sock = connect()
        except BaseException as error:
            with suppress(InvalidStateError):
                made.set_exception(error)
            return
        try:
            made.set_result(sock)
        except InvalidStateError:
            sock.close()

    threading.Thread(target=run, name="squids-connect", daemon=True).start()
    return made


def _shorter(seconds: Any, left: float) -> float:
    """Return the shorter of a time-out, which may be none, and of what is left."""
    left = max(left, LEAST)
    return min(float(seconds), left) if isinstance(seconds, int | float) else left
