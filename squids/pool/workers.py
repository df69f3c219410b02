"""The worker processes of a consumer: starts, reads, kills and replaces them.

They are forked by the fork server at the other end of a socket, which also reports their ends. This module
keeps the wanted number of workers: `process.restarts` decides when a dead one is replaced, and `server_watch`
detects a fork server that hangs. The owner decides what results mean, and what becomes of a worker's
messages.
"""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from squids.pool import log_events
from squids.pool.exits import Exits
from squids.pool.message import HeldMessage
from squids.pool.roster import JobResult
from squids.pool.server_watch import ServerWatch
from squids.pool.settings import PoolSettings
from squids.pool.worker_handle import Said, WorkerHandle
from squids.process.patience import after
from squids.process.protocol import Exited, Spawned, SpawnFailed
from squids.process.restarts import GiveUp, RestartPolicy, Restarts
from squids.process.zygote_handle import ZygoteHandle

WORKER_ENTRY = "squids.pool.worker_main:run"

FORK_RETRY = 1.0
"""Seconds before a refused fork is retried."""

EXIT_SECONDS = 2.0
"""How long idle workers may take to exit at the end, at least, before they are killed."""


class WorkerEnd(NamedTuple):
    """How a worker died. `started`: the number of the job that it ran, if any."""

    handle: WorkerHandle
    started: int | None
    how: str
    status: int | None
    """None if the fork server could not tell."""
    retired: bool
    """Whether it was a surplus worker."""


class Owner(Protocol):
    """The consumer that these workers run jobs for."""

    @property
    def hires(self) -> bool:
        """Whether it still wants workers: dead ones are replaced, and more may be started."""

    @property
    def over(self) -> bool:
        """Whether it is done: events of workers no longer matter."""

    def decide(self) -> None:
        """Something happened: act on it."""

    def worker_ready(self, handle: WorkerHandle) -> None:
        """A worker waits for its first job."""

    def jobs_ended(self, handle: WorkerHandle, results: Sequence[JobResult]) -> None:
        """A worker reported jobs."""

    def worker_gone(self, end: WorkerEnd) -> None:
        """A worker is dead, and everything that it sent was read."""

    def workers_keep_dying(self) -> None:
        """No more workers are started."""

    def fork_server_died(self) -> None:
        """No worker can be started any more."""

    def blame_fork_server(self, reason: str) -> None:
        """The fork server hangs, and only the process that started it can kill it."""


class Workers:
    """The workers of one consumer, each in a slot from 1 to `wanted`."""

    def __init__(
        self, zygote: ZygoteHandle, settings: PoolSettings, owner: Owner, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._zygote = zygote
        self._settings = settings
        self._owner = owner
        self._loop = loop
        self._watch = ServerWatch(self, loop)
        self._restarts = Restarts(RestartPolicy(give_up_after=max(10, 5 * settings.limits.workers)))
        self._handles: dict[int, WorkerHandle] = {}
        self._retired: set[int] = set()
        self._next_child = 1
        self._zygote_gone = False
        self._zygote_hangs = False
        self._exits = Exits(zygote, loop)
        self.cut_short = self._exits.cut_short
        self.wanted = settings.limits.workers
        self.ready: set[int] = set()
        """Workers that reported to be ready."""
        self.failures: dict[int, str] = {}
        """Why the worker of a slot could not start, until one starts there."""

    def __getitem__(self, child: int) -> WorkerHandle:
        return self._handles[child]

    def __contains__(self, child: int) -> bool:
        return child in self._handles

    @property
    def handles(self) -> Collection[WorkerHandle]:
        return self._handles.values()

    @property
    def trouble(self) -> str | None:
        """Why a worker cannot start, or None."""
        return next((f"worker {slot} cannot start: {why}" for slot, why in self.failures.items()), None)

    def start(self) -> None:
        """Attach to the fork server, and start all workers."""
        self._zygote.channel.watch(self._loop, self._hear_zygote)
        self.fill()

    def resize(self, wanted: int) -> list[int]:
        """Set the wanted number; return the surplus workers, which must be dismissed.

        Call `fill` to start missing ones.
        """
        self.wanted = wanted
        self.failures = {slot: why for slot, why in self.failures.items() if slot <= wanted}
        surplus = [handle.child for handle in self._handles.values() if handle.slot > wanted]
        self._retired.update(surplus)
        return surplus

    def fill(self) -> None:
        """Start a worker in each empty slot."""
        for slot in range(1, self.wanted + 1):
            self._spawn(slot)

    # Commands to one worker.

    def assign(self, child: int, messages: Sequence[HeldMessage]) -> None:
        """Hand it messages, to run in this order."""
        self._handles[child].assign(messages)

    def recall(self, child: int) -> None:
        """Ask for what it has not started."""
        self._handles[child].recall()

    def dismiss(self, child: int) -> None:
        """Let it exit: it is idle. Kill it if its hooks or exit handlers take longer than a stop may."""
        handle = self._handles[child]
        handle.dismiss()
        seconds = max(EXIT_SECONDS, self._settings.limits.shutdown_timeout)
        after(self._loop, seconds, self._overdue, handle, seconds)

    def kill(self, handle: WorkerHandle) -> None:
        """Send SIGKILL to a worker and its process group, even if the fork server hangs."""
        if not self._zygote_gone:
            self._zygote.kill(handle.child, signal.SIGKILL, group=True)
        if handle.process is not None:
            handle.process.signal_group(signal.SIGKILL)

    def _overdue(self, handle: WorkerHandle, seconds: float) -> None:
        if self._handles.get(handle.child) is handle:
            log_events.exit_overdue([handle.slot], seconds)
            self.kill(handle)

    # Starting a worker.

    def _spawn(self, slot: int) -> None:
        if not self._can_fork or not self._owner.hires or not self._is_missing(slot):
            return
        try:
            handle = WorkerHandle(self._next_child, slot)
        except OSError as error:  # Out of descriptors: not the worker's fault.
            self._spawn_refused(slot, str(error))
            return
        self._next_child += 1
        self._handles[handle.child] = handle
        settings = self._settings
        self._zygote.spawn(
            handle.child,
            WORKER_ENTRY,
            {"queue": settings.queue.name, "log_level": settings.log_level, "log_style": settings.log_style},
            title=f"squids: {settings.label or settings.queue.name} worker {slot}",
            orphan_grace=settings.limits.visibility / 2,
            descriptors=handle.descriptors,
            program=settings.label,
            worker=slot,
        )
        handle.handed_over()
        handle.channel.watch(self._loop, self._hear_worker, handle)
        self._watch.asked(handle)

    @property
    def _can_fork(self) -> bool:
        return not (self._zygote_gone or self._zygote_hangs)

    def _is_missing(self, slot: int) -> bool:
        """Whether this slot should have a worker and does not."""
        taken = {handle.slot for handle in self._handles.values() if handle.child not in self._retired}
        return slot <= self.wanted and slot not in taken

    def _spawn_refused(self, slot: int, reason: str) -> None:
        log_events.spawn_failed(slot, reason, FORK_RETRY)
        self._loop.call_later(FORK_RETRY, self._spawn, slot)

    # A worker's frames.

    def _hear_worker(self, handle: WorkerHandle) -> None:
        self._heard(handle, handle.read())
        if handle.channel.closed:
            handle.channel.unwatch()
            self.ends(handle)
        self._owner.decide()

    def _heard(self, handle: WorkerHandle, said: Said) -> None:
        if said.failure:
            if said.failure not in self.failures.values():
                log_events.cannot_start(handle, said.failure)
            self.failures[handle.slot] = handle.failure = said.failure
        if said.ready:
            self.failures.pop(handle.slot, None)
            self.ready.add(handle.child)
            self._owner.worker_ready(handle)
        if said.results:
            self._restarts.progress()
            self._owner.jobs_ended(handle, said.results)

    # The end of a worker.

    def ends(self, handle: WorkerHandle) -> None:
        """There is a sign that a worker is dead: wait for the fork server's report if it can fork."""
        if self._can_fork:
            self._watch.ends(handle)
        else:
            self._reap_the_dead()
            self._owner.decide()

    def _gone(self, handle: WorkerHandle, how: str, status: int | None) -> None:
        """The process is dead: read what it sent, then settle its jobs."""
        if self._handles.get(handle.child) is not handle:
            return
        self._watch.forget(handle)
        self._heard(handle, handle.read_to_the_end())
        started = handle.started_job()
        retired = handle.child in self._retired
        self._remove(handle)
        self._owner.worker_gone(WorkerEnd(handle, started[0] if started else None, how, status, retired))
        if self._owner.hires and self._can_fork and self._is_missing(handle.slot):
            self._replace(handle, time.monotonic())

    def _remove(self, handle: WorkerHandle) -> None:
        del self._handles[handle.child]
        self.ready.discard(handle.child)
        self._retired.discard(handle.child)
        handle.close()

    def _replace(self, handle: WorkerHandle, now: float) -> None:
        answer = self._restarts.died(now, random.random())
        if isinstance(answer, GiveUp):
            log_events.gave_up(answer.deaths)
            self._owner.workers_keep_dying()
        else:
            if not handle.failure:
                log_events.replacing(handle.slot, answer.at - now)
            self._loop.call_later(max(0.0, answer.at - now), self._spawn, handle.slot)

    def _reap_the_dead(self) -> None:
        """Handle dead workers whose end will not be reported."""
        for handle in list(self._handles.values()):
            if handle.channel.closed or handle.ended:
                self.kill(handle)  # It may be alive without its socket.
                self._gone(handle, "ended, status unknown", None)

    # The fork server.

    def _hear_zygote(self) -> None:
        for event in self._zygote.receive():
            match event:
                case Spawned(child, pid):
                    self._came(child, pid)
                case SpawnFailed(child, _, reason) if child in self._handles:
                    handle = self._handles[child]
                    self._remove(handle)
                    self._spawn_refused(handle.slot, reason)
                case Exited(child=child, status=status) if child in self._handles:
                    self._gone(self._handles[child], log_events.how_it_ended(status), status)
        if self._zygote.gone:
            self._on_zygote_gone()
        self._owner.decide()

    def _came(self, child: int, pid: int) -> None:
        handle = self._handles.get(child)
        if handle is None or handle.process is not None:
            return
        why = handle.came(pid, self._zygote.pid)
        if why is not None:
            log_events.pid_refused(handle, why)
        self._watch.came(handle)

    def has(self, handle: WorkerHandle) -> bool:
        """Whether a living fork server has not yet reported the end of this worker."""
        return not self._zygote_gone and self._handles.get(handle.child) is handle

    def fork_server_hangs(self, reason: str) -> None:
        """The fork server hangs: stop waiting for its reports.

        Its parent kills it; the rest is as after its death.
        """
        if not self._zygote_hangs:
            self._zygote_hangs = True
            log_events.zygote_hangs(reason)
            if not self._zygote.kill_server():
                self._owner.blame_fork_server(reason)
        self._reap_the_dead()
        self._owner.decide()

    def _on_zygote_gone(self) -> None:
        self._zygote.channel.unwatch()
        self._zygote_gone = True
        if self._owner.over:
            return
        log_events.zygote_died(self._zygote.reap())
        self._owner.fork_server_died()
        self._reap_the_dead()

    # The end.

    async def close(self, within: float = EXIT_SECONDS) -> None:
        """Have all workers exit, then the fork server; kill those that take longer than `within` seconds."""
        for handle in self._handles.values():
            self._watch.forget(handle)
            handle.channel.close()
        if not self._zygote_gone:
            self._zygote.channel.unwatch()
            await self._exits.wait({handle.child: handle.slot for handle in self._handles.values()}, within)
        self._zygote.close()
        if self._zygote.wait(EXIT_SECONDS) is None and self._zygote.kill_server():
            for handle in self._handles.values():
                self.kill(handle)  # Nothing else would end them.
        for handle in self._handles.values():
            handle.close()
