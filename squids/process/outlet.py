"""The outputs of a child: a pipe for what it prints, and a socket for its log records.

Records are never mixed with printed text: tasks print what messages say, which may look like a record. See
`docs/decisions/0017-log-records-have-a-socket-of-their-own.md`.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

from squids.process.child import print_to
from squids.process.output import complain

MSG_NOSIGNAL = getattr(socket, "MSG_NOSIGNAL", 0)
"""Suppresses SIGPIPE, whatever the application's handler. send(2); not on macOS."""


class RecordStream:
    """The stream of a log handler. It never raises: without a supervisor, records are discarded."""

    def __init__(self, descriptor: int) -> None:
        self._adopt(descriptor)

    def move_to(self, descriptor: int) -> None:
        """Send records there from now on."""
        old = self._socket
        if self._is_ours():
            old.close()
        else:
            old.detach()
        self._adopt(descriptor)

    def write(self, text: str) -> None:
        """Write one or more lines."""
        rest = memoryview(text.encode("utf-8", "backslashreplace"))  # In JSON this is an escape.
        if not self._is_ours():
            complain(text)
            return
        try:
            while rest:
                rest = rest[self._socket.send(rest, MSG_NOSIGNAL) :]
        except OSError:
            pass  # The supervisor is gone.

    def flush(self) -> None:
        """Do nothing: there is no buffer."""

    def _adopt(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)  # Subprocesses of tasks must not inherit it.
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(True)
        self._is = _identity(descriptor)

    def _is_ours(self) -> bool:
        """Whether the descriptor is still the socket.

        An application may close unknown descriptors, and its next file gets the number.
        """
        return _identity(self._socket.fileno()) == self._is


def _identity(descriptor: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return status.st_dev, status.st_ino


_streams: list[RecordStream] = []


def records_to(descriptor: int) -> None:
    """Send this process's log records to this socket."""
    if _streams:
        # The same object as before the fork, so that its log handler stays unchanged.
        _streams[0].move_to(descriptor)
    else:
        _streams.append(RecordStream(descriptor))


def record_stream() -> RecordStream | None:
    """Return the stream for log records, or None without a supervisor."""
    return _streams[0] if _streams else None


@dataclass(frozen=True, slots=True)
class Outlet:
    """Both ends of the pipe and the socket of a child. The reader has `prints` and `records`."""

    prints: int
    records: int
    child_prints: int
    child_records: int

    @classmethod
    def make(cls) -> Outlet:
        """Create an outlet. Raises OSError if the system refuses."""
        prints, child_prints = os.pipe()
        try:
            records, child_records = socket.socketpair()
        except OSError:
            os.close(prints)
            os.close(child_prints)
            raise
        return cls(prints, records.detach(), child_prints, child_records.detach())

    def take(self) -> None:
        """In the child: redirect output and log records."""
        self.close_readers()
        print_to(self.child_prints)
        records_to(self.child_records)

    def close_readers(self) -> None:
        """Close the reader's ends."""
        os.close(self.prints)
        os.close(self.records)

    def given(self) -> None:
        """Close the child's ends in this process, so that the reader sees when the child closes its own."""
        os.close(self.child_prints)
        os.close(self.child_records)
