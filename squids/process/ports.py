"""Ports that an import opens: finds them, and lets several processes that import one app share them.

An app that listens from its import on cannot be forked, so each process of it imports it, and wants the same
port. So they open it with SO_REUSEPORT (socket(7)): the kernel gives each connection to one of them. The
first import opens it without, so that it fails as ever if another program has the port, and sets it then.

Only `bind` of Python's sockets is seen. A library that opens a port in compiled code, or in a process that it
starts, cannot be made to share; its failure is recognized by its text.
"""

from __future__ import annotations

import errno
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from squids.process.imported_files import own_caller_of, own_line_of

INTERNET = (socket.AF_INET, socket.AF_INET6)


@dataclass(frozen=True, slots=True)
class Port:
    """A port that an import opens. `line`: of the app, as "tasks.py:12". Either is "" if it is not known."""

    address: str
    line: str

    def __str__(self) -> str:
        return f"{self.address}, opened in {self.line}" if self.line else self.address


@dataclass(slots=True)
class Binds:
    """What an import has bound, and could not bind."""

    share: bool
    _bound: list[tuple[socket.socket, Port]] = field(default_factory=list)
    _refused: list[Port] = field(default_factory=list)

    def bind(self, sock: socket.socket, address: Any) -> None:
        """Bind, shared if this is to be."""
        port = Port(_text(address), own_caller_of(sys._getframe(2)))
        if self.share:
            _permit_sharing(sock)
        try:
            _plain_bind(sock, address)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                self._refused.append(port)
            raise
        self._bound.append((sock, port))

    def still_open(self) -> tuple[Port, ...]:
        """Return the ports that are open, and let the processes that import the same app share them."""
        found = [(sock, port) for sock, port in self._bound if sock.fileno() != -1]
        self._bound.clear()
        for sock, _ in found:
            _permit_sharing(sock)
        return tuple(port for _, port in found)

    def why_in_use(self, error: BaseException | None) -> str | None:
        """Return a sentence for an import that failed because a port was in use; None if that is not why."""
        while error is not None:
            if _means_in_use(error):
                line = own_line_of(error)
                port = self._refused[-1] if self._refused else Port("", line)
                return in_use(port, error)
            error = error.__cause__ or error.__context__
        return None


opened: tuple[Port, ...] = ()
"""The ports that this process's import of the app left open."""


def in_use(port: Port, error: BaseException) -> str:
    """Return what an import that wants a port of another process says."""
    what = port.address or f"a port ({error})"
    return f"{port.line or 'the app'} opens {what} at import, but another process has it open. {REMEDY}"


def shared(port: Port) -> str:
    """Return what is said about an app that opens a port at import."""
    opens = f"{port.line or 'the app'} opens {port.address} at import"
    return f"{opens}, which its processes share: a connection reaches any one of them. {REMEDY}"


REMEDY = (
    "Each process of the app imports it, and preload: false does not change that: "
    "open the port in a @app.consumer_start or @app.worker_start hook instead"
)


@contextmanager
def watched(*, share: bool) -> Iterator[Binds]:
    """Watch the ports that are opened inside. `share`: other processes of the same app open them too.

    Threads that are started inside may open theirs later: these are shared.
    """
    binds = Binds(share)
    sockets = socket.socket  # The import may put another class in its place.
    threads: set[threading.Thread] = set()
    before = set(threading.enumerate())
    during = True

    def bind(sock: socket.socket, address: Any, /) -> None:
        if not _is_port(sock, address):
            _plain_bind(sock, address)
        elif during:
            binds.bind(sock, address)
        else:
            if threading.current_thread() in threads:
                _permit_sharing(sock)
            _plain_bind(sock, address)

    sockets.bind = bind  # type: ignore[method-assign,assignment]
    try:
        yield binds
    finally:
        during = False
        threads.update(set(threading.enumerate()) - before)
        if not threads and vars(sockets).get("bind") is bind:
            del sockets.bind  # It is inherited.


def _is_port(sock: socket.socket, address: Any) -> bool:
    """Whether this is a certain port, not any free one, and no path."""
    return sock.family in INTERNET and isinstance(address, tuple) and address[1:2] != (0,)


_plain_bind = socket.SocketType.bind


def _permit_sharing(sock: socket.socket) -> None:
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except (AttributeError, OSError):
        pass  # The system does not have it. The next process's import says so.


def _means_in_use(error: BaseException) -> bool:
    number = error.errno if isinstance(error, OSError) else None
    return number == errno.EADDRINUSE or "address already in use" in str(error).lower()


def _text(address: Any) -> str:
    host, port = str(address[0]), address[1]
    return f"port {port} of {host or 'all addresses'}"
