"""Decides which worker is handed work, and knows what each of them was handed. Pure.

A worker is on the roster from its first frame to its end. It is idle, or it has jobs: the messages that it
was handed, each with its own number. A retired worker is handed nothing more, and dismissed when idle. The
worker that became idle last is used first, because its caches are warm.

`inflight` decides which messages are handed out, and what becomes of those that a worker no longer has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from squids.job import JobEnd
from squids.pool.actions import Action, Dismiss, Hand, KillWorker, RecallUnstarted
from squids.pool.message import HeldMessage


class JobResult(NamedTuple):
    """A worker's report on one job: its number, end, seconds taken, and the reason of a failure."""

    number: int
    end: JobEnd
    seconds: float = 0.0
    task: str | None = None
    error: str = ""
    traceback: str = ""


class Roster:
    """The workers of one queue. Actions are added to `actions`."""

    def __init__(self, actions: list[Action]) -> None:
        self._actions = actions
        self._jobs: dict[int, dict[int, HeldMessage]] = {}
        self._idle: list[int] = []
        self._retired: set[int] = set()
        self._next_job = 1
        self.running = 0
        """The number of messages that workers have."""

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def idle(self) -> int:
        return len(self._idle)

    def jobs_of(self, worker: int) -> Sequence[HeldMessage]:
        """Return what a worker was handed and has not reported."""
        return list(self._jobs.get(worker, {}).values())

    def message_of_job(self, worker: int, number: int) -> HeldMessage | None:
        return self._jobs.get(worker, {}).get(number)

    def ready(self, worker: int) -> None:
        """A worker waits for its first job. Repeated calls do nothing."""
        if worker not in self._jobs:
            self._jobs[worker] = {}
            self._rest(worker)

    def retire(self, worker: int) -> None:
        """Hand a worker nothing more, and dismiss it when idle. It need not be ready yet."""
        self._retired.add(worker)
        if worker in self._idle:
            self._idle.remove(worker)
            self._actions.append(Dismiss(worker))

    def hand(self, messages: Sequence[HeldMessage]) -> None:
        """Hand messages to an idle worker; there must be one."""
        worker = self._idle.pop()
        for message in messages:
            message.number = self._next_job
            self._next_job += 1
        self._jobs[worker] = {message.number: message for message in messages}
        self.running += len(messages)
        self._actions.append(Hand(worker, tuple(messages)))

    def ended(self, worker: int, number: int) -> HeldMessage | None:
        """A worker reported a job: return its message, or None if the worker does not have that job."""
        jobs = self._jobs.get(worker, {})
        message = jobs.pop(number, None)
        if message is not None:
            self.running -= 1
            if not jobs:
                self._rest(worker)
        return message

    def gone(self, worker: int) -> Mapping[int, HeldMessage]:
        """A worker is dead: return its jobs by number."""
        jobs = self._jobs.pop(worker, {})
        self._retired.discard(worker)
        if worker in self._idle:
            self._idle.remove(worker)
        self.running -= len(jobs)
        return jobs

    def recall_unstarted(self) -> None:
        """Ask for the jobs that wait behind a running one."""
        for worker, jobs in self._jobs.items():
            if len(jobs) > 1:
                self._actions.append(RecallUnstarted(worker))

    def kill_busy(self) -> None:
        """Kill each worker that has jobs."""
        for worker, jobs in self._jobs.items():
            if jobs:
                self._actions.append(KillWorker(worker))

    def _rest(self, worker: int) -> None:
        if worker in self._retired:
            self._actions.append(Dismiss(worker))
        else:
            self._idle.append(worker)
