"""A worker as its consumer sees it. What runs in the process itself is in `worker_main`.

The handle has the consumer's end of the socket and the shared page; whether the process is
alive is the zygote's to say (and its pidfd's), and which messages it was handed is known to `inflight`.
"""

from __future__ import annotations

import mmap
import os
import socket
import tempfile
from collections.abc import Sequence

from squids.job import JobEnd
from squids.pool.message import HeldMessage
from squids.pool.roster import JobResult
from squids.pool.worker_main import MARK
from squids.process.held import Held, Untrue, hold, since_boot
from squids.process.loop_channel import LoopChannel
from squids.process.protocol import Assign, Frame, Recall, Results, WorkerReady


def _shared_page() -> int:
    """A descriptor of one page of memory that two processes can map."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("squids-worker", os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, mmap.PAGESIZE)
    return descriptor


class WorkerHandle:
    """One worker process: its slot (1 to N), its child number at the zygote, its process once known."""

    def __init__(self, child: int, slot: int) -> None:
        self.child = child
        self.slot = slot
        self.asked_at = since_boot()
        self.process: Held | None = None
        ours, self._theirs = socket.socketpair()
        self.channel = LoopChannel(ours)
        self._page_descriptor = _shared_page()
        self._page = mmap.mmap(self._page_descriptor, mmap.PAGESIZE)

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None else None

    @property
    def ended(self) -> bool:
        """Whether its process is dead for sure."""
        return self.process is not None and self.process.ended

    def came(self, pid: int, server: int) -> str | None:
        """Its fork server reports its pid. Why that is not true, if it is not: then nothing is done to it."""
        try:
            self.process = hold(pid, server, os.getuid(), self.asked_at)
        except Untrue as error:
            self.process = Held(pid, None)
            return str(error)
        return None

    @property
    def descriptors(self) -> list[int]:
        """What the process is given: its end of the socket, and the page."""
        return [self._theirs.fileno(), self._page_descriptor]

    def handed_over(self) -> None:
        """The process has its descriptors; ours of them are closed, so that its end means its end."""
        self._theirs.close()
        os.close(self._page_descriptor)

    def assign(self, messages: Sequence[HeldMessage]) -> None:
        self.channel.send(
            Assign([[m.number, m.message_id, m.body, m.receive_count, m.sent_at, m.group] for m in messages])
        )

    def dismiss(self) -> None:
        """Let it leave: what it still says is heard."""
        self.channel.end_sending()

    def recall(self) -> None:
        self.channel.send(Recall())

    def read(self) -> tuple[bool, list[JobResult]]:
        """What it said since: whether it is ready for its first job, and results."""
        return _said(self.channel.receive())

    def read_to_the_end(self) -> tuple[bool, list[JobResult]]:
        """All that it said before it died."""
        return _said(self.channel.receive_all())

    def started_job(self) -> tuple[int, float] | None:
        """The job that runs now, or ran when it died: its number and its start in monotonic seconds."""
        number, started = MARK.unpack_from(self._page, 0)
        return (number, started) if number else None

    def close(self) -> None:
        self.channel.close()
        self._page.close()
        if self.process is not None:
            self.process.close()


def _said(frames: Sequence[Frame]) -> tuple[bool, list[JobResult]]:
    ready = False
    results: list[JobResult] = []
    for frame in frames:
        if isinstance(frame, Results):
            results.extend(JobResult(number, JobEnd(end), *rest) for number, end, *rest in frame.results)
        elif isinstance(frame, WorkerReady):
            ready = True
    return ready, results
