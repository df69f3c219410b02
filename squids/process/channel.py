"""One end of a socket pair that carries frames and descriptors, without losing any result.

`Channel` is non-blocking, for a process with a loop: frames that the kernel does not accept are queued,
except that figures may be dropped. `BlockingChannel` is for a process that only waits for its owner. The end
of the socket means that the peer is gone.
"""

from __future__ import annotations

import os
import select
import socket
from collections import deque
from collections.abc import Sequence

from squids.process.frames import FrameReader, encode
from squids.process.protocol import Frame, from_wire, to_wire

RECEIVE_BYTES = 64 * 1024
"""Bytes per read. Above 128 KiB, malloc maps a new buffer each time, and a read costs six times as much."""

DROP_ABOVE = 256 * 1024
"""Queued bytes above which droppable frames are dropped."""

MAX_DESCRIPTORS = 16


class Channel:
    """The non-blocking end, for an owner with a loop that waits on `fileno`."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._reader = FrameReader()
        self._waiting: deque[tuple[bytes, tuple[int, ...]]] = deque()
        self._waiting_bytes = 0
        self.closed = False
        """Whether the peer is gone or this end was closed."""

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def wants_write(self) -> bool:
        """Whether frames are queued: call `flush` when the socket is writable."""
        return bool(self._waiting) and not self.closed

    def send(self, frame: Frame, descriptors: Sequence[int] = (), *, droppable: bool = False) -> None:
        """Send a frame, or queue it with duplicates of the descriptors."""
        if self.closed or (droppable and self._waiting_bytes > DROP_ABOVE):
            return
        data = encode(to_wire(frame))
        if self._waiting:
            self._keep(data, descriptors)
            return
        rest = self._send_now(data, descriptors)
        if rest is None:
            self._keep(data, descriptors)
        elif rest:
            self._keep(rest, ())

    def flush(self) -> None:
        """Send queued frames, as far as the kernel accepts them."""
        while self._waiting and not self.closed:
            data, descriptors = self._waiting[0]
            rest = self._send_now(data, descriptors)
            if rest is None:
                return
            self._waiting_bytes -= len(data) - len(rest)
            close_all(descriptors)
            if rest:
                self._waiting[0] = (rest, ())
                return
            self._waiting.popleft()

    def receive(self) -> list[Frame]:
        """Return all complete frames that are available. Sets `closed` at the end of the socket."""
        frames: list[Frame] = []
        while not self.closed:
            try:
                data = self._socket.recv(RECEIVE_BYTES)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self.closed = True
                break
            frames.extend(from_wire(payload) for payload in self._reader.feed(data))
            if len(data) < RECEIVE_BYTES and frames:
                break  # Probably all; if not, the socket is still readable.
        return frames

    def receive_with_descriptors(self) -> tuple[list[Frame], list[int] | None]:
        """Return the complete frames of one read, and the descriptors that came with one of them.

        A read ends after descriptors, so they belong to the frame with the last byte of this read. None:
        there were none. There are fewer than sent if this process cannot open more.
        """
        try:
            data, descriptors, flags, _ = socket.recv_fds(self._socket, RECEIVE_BYTES, MAX_DESCRIPTORS)
        except BlockingIOError:
            return [], None
        except OSError:
            data, descriptors, flags = b"", [], 0
        if not data:
            self.closed = True
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        came = list(descriptors) if descriptors or flags & socket.MSG_CTRUNC else None
        try:
            return [from_wire(payload) for payload in self._reader.feed(data)], came
        except BaseException:
            close_all(descriptors)
            raise

    def receive_all(self) -> list[Frame]:
        """Return everything that a dead peer has sent."""
        frames: list[Frame] = []
        while not self.closed:
            more = self.receive()
            if not more:
                break
            frames.extend(more)
        return frames

    def end_sending(self) -> None:
        """Shut down sending. What the peer still sends can be received."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # It is already gone.

    def close(self) -> None:
        self.closed = True
        for _, descriptors in self._waiting:
            close_all(descriptors)
        self._waiting.clear()
        self._socket.close()

    def _keep(self, data: bytes, descriptors: Sequence[int]) -> None:
        self._waiting.append((data, tuple(os.dup(descriptor) for descriptor in descriptors)))
        self._waiting_bytes += len(data)

    def _send_now(self, data: bytes, descriptors: Sequence[int]) -> bytes | None:
        """Return what is left after one try: b"" if nothing; None if the kernel accepted nothing."""
        try:
            if descriptors:
                sent = socket.send_fds(self._socket, [data], descriptors)
            else:
                sent = self._socket.send(data)
        except BlockingIOError:
            return None
        except OSError:
            self.closed = True
            return b""
        return data[sent:]


class BlockingChannel:
    """The blocking end, for a child that waits for its owner."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(True)
        self._socket = sock
        self._reader = FrameReader()
        self._frames: deque[Frame] = deque()
        self._poll = select.poll()  # Not select(2), which is limited to descriptors up to 1023.
        self._poll.register(sock, select.POLLIN)

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self) -> Frame | None:
        """Wait for the next frame. Returns None when the owner is gone."""
        while not self._frames:
            try:
                data = self._socket.recv(RECEIVE_BYTES)
            except ConnectionError:
                return None
            if not data:
                return None
            self._frames.extend(from_wire(payload) for payload in self._reader.feed(data))
        return self._frames.popleft()

    def pending(self) -> bool:
        """Whether `receive` would return at once."""
        return bool(self._frames) or bool(self._poll.poll(0))

    def owner_lives(self) -> bool:
        """Whether the other end is open, whatever was sent before. May be called in a signal handler."""
        poll = select.poll()  # One of its own: the handler may interrupt `pending`.
        poll.register(self._socket, 0)
        return not poll.poll(0)

    def send(self, frame: Frame) -> None:
        """Send a whole frame. Raises BrokenPipeError if the owner is gone."""
        self._socket.sendall(encode(to_wire(frame)))

    def send_encoded(self, frame: bytes) -> None:
        """Send a frame that is already encoded."""
        self._socket.sendall(frame)

    def close(self) -> None:
        self._socket.close()


def close_all(descriptors: Sequence[int]) -> None:
    """Close descriptors that were received and are not needed."""
    for descriptor in descriptors:
        os.close(descriptor)
