"""Where a child's words go: a pipe for what it prints, and a socket of its own for its log records.

Records never travel in what is printed: a task prints what messages say, and that may look like a record. Why
it is so, and what it costs: `docs/decisions/0017-log-records-have-a-socket-of-their-own.md`.
"""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass

from squids.process.child import print_to

MSG_NOSIGNAL = getattr(socket, "MSG_NOSIGNAL", 0)
"""No SIGPIPE, whatever the application made of that signal. send(2); not on macOS."""


class RecordStream:
    """The stream of a log handler. It never raises: without a supervisor, records go nowhere."""

    def __init__(self, descriptor: int) -> None:
        self._adopt(descriptor)

    def move_to(self, descriptor: int) -> None:
        """Have records go there from now on."""
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
            sys.stderr.write(text)
            return
        try:
            while rest:
                rest = rest[self._socket.send(rest, MSG_NOSIGNAL) :]
        except OSError:
            pass  # The supervisor is gone.

    def flush(self) -> None:
        """Nothing waits here."""

    def _adopt(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)  # A task's subprocesses get none.
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(True)
        self._is = _identity(descriptor)

    def _is_ours(self) -> bool:
        """Whether the descriptor is still the socket: an application may close what it does not know, and
        open a file of its own under that number."""
        return _identity(self._socket.fileno()) == self._is


def _identity(descriptor: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return status.st_dev, status.st_ino


_streams: list[RecordStream] = []


def records_to(descriptor: int) -> None:
    """Have this process's log records go to this socket."""
    if _streams:
        # The same object as before the fork: the log handler that has it need not be touched.
        _streams[0].move_to(descriptor)
    else:
        _streams.append(RecordStream(descriptor))


def record_stream() -> RecordStream | None:
    """Where this process's log records go; None: it has no supervisor to read them."""
    return _streams[0] if _streams else None


@dataclass(frozen=True, slots=True)
class Outlet:
    """Both ends of both, made before the child is. The reader's ends are `prints` and `records`."""

    prints: int
    records: int
    child_prints: int
    child_records: int

    @classmethod
    def make(cls) -> Outlet:
        """OSError if the system refuses."""
        prints, child_prints = os.pipe()
        try:
            records, child_records = socket.socketpair()
        except OSError:
            os.close(prints)
            os.close(child_prints)
            raise
        return cls(prints, records.detach(), child_prints, child_records.detach())

    def take(self) -> None:
        """Be the child: have all that is printed and logged go there."""
        self.close_readers()
        print_to(self.child_prints)
        records_to(self.child_records)

    def close_readers(self) -> None:
        """This process does not read what comes."""
        os.close(self.prints)
        os.close(self.records)

    def given(self) -> None:
        """The child has its ends: ours of them are closed, so that their end means its end."""
        os.close(self.child_prints)
        os.close(self.child_records)
