"""The control socket: accepts requests, checks who sends them, and passes them to the verbs.

Its user, root, and those whom the socket's mode and group admit may send requests. The kernel identifies the
peer, so that holds even if the directory is too permissive. The peer's uid is logged. No client delays the
supervisor: the size of a request, the time to send it and to read the answer, and the number of clients are
limited; some places are reserved for the owner and for short requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import grp
import os
import socket
import stat
from collections.abc import AsyncIterator, Callable
from typing import Any

from squids.exit_codes import FAILED, USAGE
from squids.supervisor import events
from squids.supervisor.control.peer import Peer, groups_of, peer_of
from squids.supervisor.control.protocol import MAX_PATH, MAX_REQUEST, decode_request, encode
from squids.supervisor.control.verbs import REMOTE
from squids.supervisor.events import Event

MAX_CLIENTS = 64
MAX_FOLLOWERS = 40
"""Maximum clients that follow or wait for an effect."""

SHORT = frozenset({verb.name for verb in REMOTE.values() if verb.prompt} | {"shutdown"})
"""Verbs that are answered at once, unless they follow; and `shutdown`, which must always be accepted."""

KEPT_FOR_OWNER = 8
"""Places reserved for root and this user."""

REQUEST_SECONDS = 10.0
"""How long a client may take to send its request."""

REFUSED_SECONDS = 1.0
"""How long a refused client may take to send its request."""

TAKE_SECONDS = 10.0
"""How long a client may take to read an answer."""

MAX_WAITING = 1024 * 1024
"""Bytes buffered for one client before it must read."""

LOOK_EVERY = 5.0
"""Seconds between checks of the socket's path, which temp cleaners may remove."""

Answer = dict[str, Any]
Run = Callable[[str, list[str], dict[str, Any], int | None], AsyncIterator[Answer]]


class ControlServer:
    """Serves the control socket.

    `run` carries out one request and yields its answers; the last has the type "end". `keep_lock` restores
    the lock if its file was removed, and is called at each check of the socket. `say` gets an event if a lock
    or socket cannot be restored, and if a request fails by an internal error.
    """

    def __init__(
        self,
        path: str,
        mode: int,
        group: str | None,
        run: Run,
        say: Callable[[Event], None],
        keep_lock: Callable[[], None],
    ) -> None:
        self.path = path
        self._mode = mode
        self._group = group
        self._run = run
        self._say = say
        self._keep_lock = keep_lock
        self._in_trouble = False
        self._server: asyncio.Server | None = None
        self._identity: tuple[int, int] | None = None
        self._clients: set[asyncio.Task[None]] = set()
        self._followers = 0
        self._look: asyncio.TimerHandle | None = None
        self._again: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen. The caller holds the lock, so an existing socket is stale. Raises OSError."""
        listener = self._bind()
        self._server = await asyncio.start_unix_server(self._accept, sock=listener, limit=MAX_REQUEST)
        self._look_later()

    async def close(self) -> None:
        """Stop listening; give clients a moment to get their answers."""
        if self._again is not None:
            await asyncio.wait([self._again])  # It is being restored.
        if self._look is not None:
            self._look.cancel()
        if self._server is not None:
            self._server.close()
        if self._clients:
            await asyncio.wait(self._clients, timeout=1.0)
        for client in self._clients:
            client.cancel()
        if self._is_ours():
            with contextlib.suppress(OSError):
                os.unlink(self.path)

    def _bind(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # Not longer than the path itself, which may be at its limit.
        temporary = os.path.join(os.path.dirname(self.path), f".{os.getpid() % 100_000_000}")
        if len(os.fsencode(temporary)) > MAX_PATH:
            temporary = self.path
        try:
            for path in {temporary, self.path}:
                refuse_what_is_not_ours(path)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            mask = os.umask(0o177)
            try:
                listener.bind(temporary)
            finally:
                os.umask(mask)
            if self._group is not None:
                group = int(self._group) if self._group.isdigit() else grp.getgrnam(self._group).gr_gid
                os.chown(temporary, -1, group)
            os.chmod(temporary, self._mode)
            listener.listen(MAX_CLIENTS)
            if temporary != self.path:
                os.rename(temporary, self.path)
            status = os.stat(self.path)
            self._gid = status.st_gid
        except BaseException:
            listener.close()
            raise
        self._identity = (status.st_dev, status.st_ino)
        return listener

    def _is_ours(self) -> bool:
        try:
            status = os.stat(self.path)
        except OSError:
            return False
        return stat.S_ISSOCK(status.st_mode) and (status.st_dev, status.st_ino) == self._identity

    def _look_later(self) -> None:
        self._look = asyncio.get_running_loop().call_later(LOOK_EVERY, self._look_now)

    def _look_now(self) -> None:
        if not self._is_ours():
            self._look = None
            self._again = asyncio.create_task(self._listen_again(), name="the control socket")
            return
        try:
            self._keep_lock()
        except Exception as error:  # Retried at the next check.
            if not self._in_trouble:
                self._say(
                    events.no_control_socket(f"the lock was removed, and cannot be made again: {error}")
                )
            self._in_trouble = True
        self._look_later()

    async def _listen_again(self) -> None:
        try:
            self._keep_lock()
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
            old = self._server
            listener = self._bind()
            self._server = await asyncio.start_unix_server(self._accept, sock=listener, limit=MAX_REQUEST)
            if old is not None:
                old.close()
            self._in_trouble = False
        except Exception as error:  # Retried at the next check.
            if not self._in_trouble:
                reason = error.strerror if isinstance(error, OSError) else error
                text = f"the control socket {self.path} vanished, and cannot be made again: {reason}"
                self._say(events.no_control_socket(text))
            self._in_trouble = True
        self._look_later()

    # Clients.

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        refusal = self._refusal(writer)
        if refusal is not None:
            await self._turn_away(reader, writer, refusal)
            return
        self._clients.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, TimeoutError, asyncio.LimitOverrunError):
            pass  # It disconnected, or took too long.
        except asyncio.CancelledError:
            pass  # From `close`. Python 3.11's streams would log it as an error.
        except Exception as error:  # An internal error: the client learns of it, and the log has the reason.
            self._say(events.internal_error("a request", error))
            writer.write(encode({"type": "end", "code": FAILED, "error": f"the request failed: {error}"}))
        finally:
            self._clients.discard(task)
            writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(high=MAX_WAITING)
        try:
            line = await asyncio.wait_for(reader.readline(), REQUEST_SECONDS)
            verb, queues, options = decode_request(line)
        except ValueError as error:  # Also a line that is too long.
            await self._send(writer, {"type": "end", "code": USAGE, "error": str(error)})
            return
        stays = verb not in SHORT or bool(options.get("follow"))
        if stays and self._followers >= MAX_FOLLOWERS:
            text = "too many clients that follow or wait"
            await self._send(writer, {"type": "end", "code": FAILED, "error": text})
            return
        peer = _peer(writer)
        self._followers += stays
        try:
            answers = self._run(verb, queues, options, None if peer is None else peer.uid)
            await self._answer(reader, writer, answers)
        finally:
            self._followers -= stays

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answers: AsyncIterator[Answer]
    ) -> None:
        gone = asyncio.ensure_future(reader.read(1))  # A client that disconnects cancels its request.
        try:
            while True:
                coming = asyncio.ensure_future(anext(answers))
                await asyncio.wait({coming, gone}, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    coming.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await coming
                    return
                try:
                    answer = coming.result()
                except StopAsyncIteration:
                    writer.transport.set_write_buffer_limits(high=0)  # Flush everything before closing.
                    await asyncio.wait_for(writer.drain(), TAKE_SECONDS)
                    return
                await self._send(writer, answer)
        finally:
            gone.cancel()
            with contextlib.suppress(RuntimeError):
                await answers.aclose()  # type: ignore[attr-defined]

    async def _send(self, writer: asyncio.StreamWriter, answer: Answer) -> None:
        writer.write(encode(answer))
        await asyncio.wait_for(writer.drain(), TAKE_SECONDS)

    async def _turn_away(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, refusal: str
    ) -> None:
        """Send the reason. Reads the request before it closes: unread data would reset the connection."""
        with contextlib.suppress(OSError, TimeoutError, ValueError):
            writer.write(encode({"type": "end", "code": FAILED, "error": refusal}))
            await asyncio.wait_for(reader.readline(), REFUSED_SECONDS)
        writer.close()

    def _refusal(self, writer: asyncio.StreamWriter) -> str | None:
        """Return why this client is not served, or None."""
        peer = _peer(writer)
        owner = peer is None or peer.uid in (0, os.geteuid())
        if len(self._clients) >= MAX_CLIENTS - (0 if owner else KEPT_FOR_OWNER):
            return "too many clients"
        if peer is None or owner or self._mode & stat.S_IWOTH:
            return None
        if self._mode & stat.S_IWGRP and self._gid in groups_of(writer.get_extra_info("socket"), peer):
            return None
        return f"uid {peer.uid} is not allowed to use this supervisor"


def _peer(writer: asyncio.StreamWriter) -> Peer | None:
    return peer_of(writer.get_extra_info("socket"))


def refuse_what_is_not_ours(path: str) -> None:
    """Raise FileExistsError, unless the path is free or has a stale socket of this user or root."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode):
        raise FileExistsError(errno.EEXIST, "something is there that is not a socket", path)
    if status.st_uid not in (0, os.geteuid()):
        raise FileExistsError(errno.EEXIST, f"the socket there belongs to uid {status.st_uid}", path)
    if _somebody_listens(path):
        raise FileExistsError(errno.EADDRINUSE, "another program listens there", path)


def _somebody_listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.setblocking(False)
        try:
            asking.connect(path)
        except BlockingIOError:
            return True  # Its backlog is full.
        except OSError:
            return False
        return True
