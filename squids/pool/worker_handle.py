"""The consumer's view of a worker. `worker_main` is what runs in the process itself.

The handle has the consumer's end of the socket and the shared page. The fork server and the pidfd say whether
the process is alive; `inflight` knows which messages it was handed.
"""

from __future__ import annotations

import mmap
import os
import socket
import tempfile
from collections.abc import Sequence
from typing import NamedTuple

from squids.job import JobEnd
from squids.pool.message import HeldMessage
from squids.pool.roster import JobResult
from squids.pool.worker_main import MARK
from squids.process.held import Held, Untrue, hold, since_boot
from squids.process.loop_channel import LoopChannel
from squids.process.protocol import Assign, Degraded, Frame, Recall, Results, WorkerReady


def _shared_page() -> int:
    """Return a descriptor of one page of memory that two processes can map."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("squids-worker", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, mmap.PAGESIZE)
    return descriptor


class Said(NamedTuple):
    """What a worker reported: that it is ready, results of jobs, why it cannot start."""

    ready: bool
    results: list[JobResult]
    failure: str = ""


class WorkerHandle:
    """A worker process: its slot (1 to N), child number at the fork server, and process once known."""

    def __init__(self, child: int, slot: int) -> None:
        self.child = child
        self.slot = slot
        self.asked_at = since_boot()
        self.process: Held | None = None
        self.failure = ""
        """Why it could not start, as it said itself."""
        ours, self._theirs = socket.socketpair()
        self.channel = LoopChannel(ours)
        self._page_descriptor = _shared_page()
        self._page = mmap.mmap(self._page_descriptor, mmap.PAGESIZE)

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None else None

    @property
    def ended(self) -> bool:
        """Whether its process is certainly dead."""
        return self.process is not None and self.process.ended

    def came(self, pid: int, server: int) -> str | None:
        """Set its pid, as its fork server reported it.

        Returns why that pid is false, if it is: it is then never signalled.
        """
        try:
            self.process = hold(pid, server, os.getuid(), self.asked_at)
        except Untrue as error:
            self.process = Held(pid, None)
            return str(error)
        return None

    @property
    def descriptors(self) -> list[int]:
        """The descriptors for the process: its end of the socket, and the page."""
        return [self._theirs.fileno(), self._page_descriptor]

    def handed_over(self) -> None:
        """Close this side's copies, so that the socket ends when the process does."""
        self._theirs.close()
        os.close(self._page_descriptor)

    def assign(self, messages: Sequence[HeldMessage]) -> None:
        self.channel.send(
            Assign([[m.number, m.message_id, m.body, m.receive_count, m.sent_at, m.group] for m in messages])
        )

    def dismiss(self) -> None:
        """Let it exit; what it still sends is read."""
        self.channel.end_sending()

    def recall(self) -> None:
        self.channel.send(Recall())

    def read(self) -> Said:
        """Return what it reported since the last call."""
        return _said(self.channel.receive())

    def read_to_the_end(self) -> Said:
        """Return all that it sent before it died."""
        return _said(self.channel.receive_all())

    def started_job(self) -> tuple[int, float] | None:
        """Return the number and monotonic start of the job that runs, or ran when it died."""
        number, started = MARK.unpack_from(self._page, 0)
        return (number, started) if number else None

    def close(self) -> None:
        self.channel.close()
        self._page.close()
        if self.process is not None:
            self.process.close()


def _said(frames: Sequence[Frame]) -> Said:
    ready, failure = False, ""
    results: list[JobResult] = []
    for frame in frames:
        if isinstance(frame, Results):
            results.extend(JobResult(number, JobEnd(end), *rest) for number, end, *rest in frame.results)
        elif isinstance(frame, WorkerReady):
            ready = True
        elif isinstance(frame, Degraded):
            failure = frame.reason or ""
    return Said(ready, results, failure)
