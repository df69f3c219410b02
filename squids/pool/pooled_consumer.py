"""The shell of a pooled consumer: one queue, many workers, one loop.

It owns the processes, threads, sockets and timers, and decides nothing about messages: events
go to `inflight`, and its actions are carried out here. Workers that die are replaced as
`process.restarts` says.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from squids.exit_codes import ExitCode
from squids.pool import narrator
from squids.pool.actions import Action, Call, Dismiss, Hand, Kill, Recall, Receive, Recover, Report
from squids.pool.batches import Batch
from squids.pool.call_threads import Answer
from squids.pool.figures import figures
from squids.pool.inflight import InFlight, Limits, Phase
from squids.pool.polls import Poll
from squids.pool.receiver import Receiver
from squids.pool.reporter import Reporter
from squids.pool.roster import JobResult
from squids.pool.server_watch import ServerWatch
from squids.pool.settler import Settler
from squids.pool.worker_handle import WorkerHandle
from squids.process.figures import ConsumerFigures
from squids.process.liveness import Liveness, Unheard
from squids.process.protocol import Exited, Spawned, SpawnFailed
from squids.process.restarts import GiveUp, RestartPolicy, Restarts
from squids.process.zygote_handle import ZygoteHandle
from squids.queues import QueueRef
from squids.received import Received
from squids.retry import RetryPolicy
from squids.sqs import BatchAnswer, QueueClient, TroubleKind, classify

WORKER_ENTRY = "squids.pool.worker_main:run"

FORK_RETRY = 1.0
"""Seconds before a fork that the system refused is tried again."""

ADVANCE_MARGIN = 45.0
"""Seconds beyond its wait within which a receive is answered or fails: connecting, looking up credentials."""

LEAVE_SECONDS = 2.0
"""How long idle workers may take to leave at the end, before they are left to the zygote."""

START_TROUBLES = frozenset(
    {TroubleKind.UNREACHABLE, TroubleKind.NO_QUEUE, TroubleKind.CREDENTIALS, TroubleKind.DENIED}
)
"""With `exit_when_empty`, these at the start end the consumer: nobody waits for them to heal."""


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """What a pooled consumer needs to know: counts, seconds, names."""

    queue: QueueRef
    limits: Limits
    retry: RetryPolicy
    label: str = ""
    """Not empty: what workers print and log goes to the zygote's first owner, as this program's."""
    log_level: str | None = None
    """Not None: workers log as this consumer does, from this level on."""


class PooledConsumer:
    """Runs until it is stopped, or cannot go on. `run` answers with the exit code."""

    def __init__(
        self,
        settings: PoolSettings,
        client: QueueClient,
        zygote: ZygoteHandle,
    ) -> None:
        self._settings = settings
        self._client = client
        self._zygote = zygote
        prefix = f"squids-{os.getpid()}-{random.getrandbits(64):x}" if settings.queue.is_fifo else None
        self.inflight = InFlight(settings.limits, settings.retry, attempt_prefix=prefix)
        give_up_after = max(10, 5 * settings.limits.workers)
        self._restarts = Restarts(RestartPolicy(give_up_after=give_up_after))
        self._workers: dict[int, WorkerHandle] = {}
        self._ready: set[int] = set()
        self._retired: set[int] = set()
        self._next_child = 1
        self._exit_code = ExitCode.OK
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._deciding = False
        self._done = asyncio.Event()
        self._zygote_gone = False
        self._zygote_hangs = False
        self._announced = False
        self.following = False
        """Whether somebody wants to see each job."""
        self._start_trouble = False
        self._told_trouble: str | None = None
        self.on_ready: Callable[[], None] = lambda: None
        self._poll_started: dict[int, float] = {}
        self.hear_of_life(Unheard())

    def hear_of_life(self, liveness: Liveness) -> None:
        """Tell this of the consumer's life. Before `run`."""
        self.liveness = liveness
        self._reporter = Reporter(liveness, self._figures, self._advances)

    async def run(self) -> ExitCode:
        """Start the workers, drain the queue, and leave when told to."""
        self._loop = asyncio.get_running_loop()
        budget = self._settings.limits.budget
        self._receiver = Receiver(
            self._client,
            self._loop,
            # One more, which fetches anew what an abandoned receive on a FIFO queue was given.
            threads=self.inflight.prefetch.most_polls + 1,
            wait_seconds=self._settings.limits.wait,
            visibility=self._settings.limits.visibility,
        )
        self._settler = Settler(
            self._client, self._loop, threads=2, visibility=self._settings.limits.visibility
        )
        self._watch = ServerWatch(self, self._loop)
        self._loop.add_reader(self._zygote.channel.fileno(), self._hear_zygote)
        for slot in range(1, self._settings.limits.workers + 1):
            self._spawn(slot)
        narrator.started(self._settings.queue, self._settings.limits, budget)
        self.liveness.booted()
        self._reporter.start(self._loop)
        await self._done.wait()
        await self._leave()
        return self._exit_code

    @property
    def stuck_in_receive(self) -> bool:
        """Whether a thread still waits inside a receive: then the process can only leave by `os._exit`."""
        return self._receiver.busy

    def stop(self, reason: str, within: float | None = None) -> None:
        """Drain, within the shutdown timeout or so many seconds; called again, force: then `within` is for
        receives under way, and None is no time at all."""
        now = time.monotonic()
        self.liveness.stopping(reason)
        if self.inflight.phase is Phase.RUNNING:
            narrator.stopping(reason, self.inflight, self._settings.limits.wait)
            self.inflight.stop(now, within)
        else:
            narrator.forcing(reason)
            self.inflight.force(now, within or 0.0)
        self._decide()

    def pause(self, on: bool) -> None:
        """Stop receiving, or go on. What is held stays, and what a receive under way brings goes back."""
        if self.inflight.paused != on:
            self.inflight.paused = on
            narrator.paused(on)
            self._reporter.nudge()
            self._decide()

    def scale(self, workers: int) -> None:
        """Have this many workers. Those too many leave when their task has ended."""
        limits = self._settings.limits
        if workers == limits.workers or workers < 1:
            return
        budget = 2 * workers if limits.budget == 2 * limits.workers else limits.budget
        limits = replace(limits, workers=workers, budget=budget)
        self._settings = replace(self._settings, limits=limits)
        self.inflight.resize(limits)
        self._receiver.allow(self.inflight.prefetch.most_polls + 1)
        narrator.scaled(workers)
        for handle in self._workers.values():
            if handle.slot > workers:
                self._retired.add(handle.child)
                self.inflight.retire(handle.child)
        for slot in range(1, workers + 1):
            self._spawn(slot)
        self._reporter.nudge()
        self._decide()

    def report_state(self) -> None:
        """One log line of what is going on."""
        running = []
        for worker in self._workers.values():
            started = worker.started_job()
            if started is not None:
                running.append((worker.slot, time.monotonic() - started[1]))
        narrator.state(self.inflight, len(self._ready), self._settings.limits.workers, running)

    # Deciding and acting.

    def _decide(self) -> None:
        if self._deciding:
            return
        self._deciding = True
        try:
            for action in self.inflight.decide(time.monotonic()):
                self._carry_out(action)
        finally:
            self._deciding = False
        self._tell_trouble()
        if self.inflight.phase is Phase.DONE:
            self._done.set()
        else:
            self._set_timer(self.inflight.wakes_at())

    def _set_timer(self, at: float | None) -> None:
        if self._timer is not None:
            # A timer that comes too early costs one look; setting it anew at each message costs more.
            if at is None or self._timer_at <= at:
                return
            self._timer.cancel()
        if at is None:
            return
        self._timer_at = at
        self._timer = self._loop.call_at(at, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._decide()

    def _carry_out(self, action: Action) -> None:
        """One that cannot be carried out is accounted for, and costs the others nothing."""
        try:
            self._act(action)
        except Exception as error:
            narrator.action_failed(action, error)
            now, chance = time.monotonic(), random.random()
            match action:
                case Receive() | Recover():
                    self._poll_started.pop(action.poll.number, None)
                    self.inflight.receive_failed(action.poll.number, str(error), now, chance)
                case Call():
                    self.inflight.call_failed(action.batch, str(error), now, chance)
                case Hand() if action.worker in self._workers:
                    self.kill(self._workers[action.worker])  # Its end settles what it was to be handed.

    def _tell_trouble(self) -> None:
        if self.inflight.trouble != self._told_trouble:
            self._told_trouble = self.inflight.trouble
            self.liveness.degraded(self._told_trouble)

    def _act(self, action: Action) -> None:
        match action:
            case Hand():
                handle = self._workers[action.worker]
                if self.following:
                    narrator.handed(action.messages, handle.slot)
                handle.assign(action.messages)
                self._watch_writable(handle)
                self._reporter.nudge()
            case Receive() | Recover():
                self._poll_started[action.poll.number] = time.monotonic()
                self._receiver.receive(action.poll, self._on_received)
            case Call():
                self._settler.call(action.batch, self._on_settled)
            case Recall(worker):
                self._workers[worker].recall()
                self._watch_writable(self._workers[worker])
            case Kill(worker):
                self.kill(self._workers[worker])
            case Dismiss(worker):
                self._workers[worker].dismiss()
            case Report():
                narrator.report(action, self._settings.queue, self._start_trouble)

    # SQS's answers.

    def _on_received(self, poll: Poll, answer: Answer[list[Received]]) -> None:
        self._poll_started.pop(poll.number, None)
        if answer.error is not None:
            self._receive_failed(poll, answer.error)
        else:
            messages = answer.value or []
            self.inflight.received(poll.number, messages, answer.seconds, answer.answered_at)
            if not self._announced:
                self._announced = True
                narrator.ready(self._settings.queue, len(self._ready))
                self.liveness.ready()
                self.on_ready()
        self._decide()

    def _receive_failed(self, poll: Poll, error: Exception) -> None:
        trouble = classify(error)
        self._start_trouble = trouble.kind in START_TROUBLES and not self.inflight.polls.answered
        self.inflight.receive_failed(poll.number, trouble.text, time.monotonic(), random.random())
        hopeless = trouble.kind is TroubleKind.CONFIG or (
            self._settings.limits.exit_when_empty
            and (self._start_trouble or trouble.kind is TroubleKind.NO_QUEUE)
        )
        if hopeless and self.inflight.phase is Phase.RUNNING:
            self._exit_code = ExitCode.CONFIG
            self._decide()
            self.stop(trouble.text)

    def _advances(self, now: float) -> bool:
        """Whether receives are answered, or fail, in time; and what is to be settled is sent in time."""
        longest = self._settings.limits.wait + ADVANCE_MARGIN
        receives = all(now - started <= longest for started in self._poll_started.values())
        due = self.inflight.settling.due_at()
        return receives and (due is None or now - due <= ADVANCE_MARGIN)

    def _figures(self) -> ConsumerFigures:
        workers = self._settings.limits.workers
        return figures(self.inflight, self._workers.values(), self._ready, workers, self._reporter.times)

    def _on_settled(self, batch: Batch, answer: Answer[BatchAnswer]) -> None:
        now = time.monotonic()
        if answer.value is None:
            text = classify(answer.error).text if answer.error is not None else "no answer"
            self.inflight.call_failed(batch, text, now, random.random())
        else:
            failed = [(f.id, f"{f.code}: {f.message}", f.stale) for f in answer.value.failed]
            done, jitter = answer.value.done, random.random()
            self.inflight.answered(batch, done, failed, answer.seconds, answer.sent_at, now, jitter)
        self._decide()

    # Workers.

    def _spawn(self, slot: int) -> None:
        if not self._can_fork or self.inflight.phase is not Phase.RUNNING or not self._is_wanted(slot):
            return
        try:
            handle = WorkerHandle(self._next_child, slot)
        except OSError as error:  # Out of descriptors: not the worker's fault.
            self._spawn_refused(slot, str(error))
            return
        self._next_child += 1
        self._workers[handle.child] = handle
        self._zygote.spawn(
            handle.child,
            WORKER_ENTRY,
            {"queue": self._settings.queue.name, "log_level": self._settings.log_level},
            title=f"squids: {self._settings.label or self._settings.queue.name} worker {slot}",
            orphan_grace=self._settings.limits.visibility / 2,
            descriptors=handle.descriptors,
            program=self._settings.label,
            worker=slot,
        )
        self._watch_zygote_writable()
        handle.handed_over()
        self._loop.add_reader(handle.channel.fileno(), self._hear_worker, handle)
        self._watch.asked(handle)

    @property
    def _can_fork(self) -> bool:
        return not (self._zygote_gone or self._zygote_hangs)

    def _is_wanted(self, slot: int) -> bool:
        """Whether there is to be a worker in this slot, and is none."""
        taken = {handle.slot for handle in self._workers.values() if handle.child not in self._retired}
        return slot <= self._settings.limits.workers and slot not in taken

    def _spawn_refused(self, slot: int, reason: str) -> None:
        narrator.spawn_failed(slot, reason, FORK_RETRY)
        self._loop.call_later(FORK_RETRY, self._spawn, slot)

    def _hear_worker(self, handle: WorkerHandle) -> None:
        self._heard(handle, *handle.read())
        if handle.channel.closed:
            self._loop.remove_reader(handle.channel.fileno())
            self.ends(handle)
        self._decide()

    def ends(self, handle: WorkerHandle) -> None:
        """There is a sign that a worker is dead: how it ended is the fork server's to say, if it can."""
        if self._can_fork:
            self._watch.ends(handle)
        else:
            self._bury_the_dead()
            self._decide()

    def _heard(self, handle: WorkerHandle, ready: bool, results: list[JobResult]) -> None:
        if ready:
            self._ready.add(handle.child)
            self.inflight.worker_ready(handle.child)
        if results:
            self._restarts.progress()
            if self.following:
                for result in results:
                    narrator.ended(result, self.inflight.roster.message_of_job(handle.child, result.number))
            self._reporter.times.extend(result.seconds for result in results if result.seconds)
            self.inflight.results(handle.child, results, time.monotonic(), random.random())

    def _watch_writable(self, handle: WorkerHandle) -> None:
        if handle.channel.wants_write:
            self._loop.add_writer(handle.channel.fileno(), self._flush_worker, handle)

    def _flush_worker(self, handle: WorkerHandle) -> None:
        handle.channel.flush()
        if not handle.channel.wants_write or handle.channel.closed:
            self._loop.remove_writer(handle.channel.fileno())

    def kill(self, handle: WorkerHandle) -> None:
        """SIGKILL to a worker and its group, whether or not the fork server still does what it is asked."""
        if not self._zygote_gone:
            self._zygote.kill(handle.child, signal.SIGKILL, group=True)
            self._watch_zygote_writable()
        if handle.process is not None:
            handle.process.signal_group(signal.SIGKILL)

    def _worker_gone(self, handle: WorkerHandle, how: str, status: int | None) -> None:
        """The process is dead: what it still said is heard first, then its job is settled."""
        if self._workers.get(handle.child) is not handle:
            return
        self._loop.remove_reader(handle.channel.fileno())
        self._loop.remove_writer(handle.channel.fileno())
        self._watch.forget(handle)
        self._heard(handle, *handle.read_to_the_end())
        del self._workers[handle.child]
        self._ready.discard(handle.child)
        started = handle.started_job()
        handle.close()
        now = time.monotonic()
        jobs = self.inflight.roster.jobs_of(handle.child)
        number = started[0] if started else None
        dismissed = handle.child in self._retired
        self._retired.discard(handle.child)
        if not dismissed or jobs:
            narrator.worker_ended(handle, how, status, bool(jobs), self.inflight.phase)
        self.inflight.worker_gone(handle.child, number, how, now, random.random())
        if self.inflight.phase is Phase.RUNNING and self._can_fork and self._is_wanted(handle.slot):
            self._replace(handle.slot, now)

    def _replace(self, slot: int, now: float) -> None:
        answer = self._restarts.died(now, random.random())
        if isinstance(answer, GiveUp):
            narrator.gave_up(answer.deaths)
            self._exit_code = ExitCode.FAILURE
            self.stop("workers die again and again")
        else:
            narrator.replacing(slot, answer.at - now)
            self._loop.call_later(max(0.0, answer.at - now), self._spawn, slot)

    # The zygote.

    def _hear_zygote(self) -> None:
        for event in self._zygote.receive():
            match event:
                case Spawned(child, pid):
                    self._worker_came(child, pid)
                case SpawnFailed(child, _, reason):
                    handle = self._workers.pop(child, None)
                    if handle is not None:
                        self._loop.remove_reader(handle.channel.fileno())
                        handle.close()
                        self._spawn_refused(handle.slot, reason)
                case Exited() if event.child in self._workers:
                    how = narrator.how_it_ended(event.status)
                    self._worker_gone(self._workers[event.child], how, event.status)
        if self._zygote.gone:
            self._on_zygote_gone()
        self._decide()

    def _worker_came(self, child: int, pid: int) -> None:
        handle = self._workers.get(child)
        if handle is None or handle.process is not None:
            return
        why = handle.came(pid, self._zygote.pid)
        if why is not None:
            narrator.pid_refused(handle, why)
        self._watch.came(handle)

    def has(self, handle: WorkerHandle) -> bool:
        """Whether a living fork server still has something to say of this worker."""
        return not self._zygote_gone and self._workers.get(handle.child) is handle

    def fork_server_hangs(self, reason: str) -> None:
        """What it does not report is not waited for. Whoever answers for it kills it; the rest is as after
        its death."""
        if not self._zygote_hangs:
            self._zygote_hangs = True
            narrator.zygote_hangs(reason)
            if not self._zygote.kill_server():
                self.liveness.fork_server_hangs(reason)
        self._bury_the_dead()
        self._decide()

    def _bury_the_dead(self) -> None:
        """Those workers whose end nobody will report."""
        for handle in list(self._workers.values()):
            if handle.channel.closed or handle.ended:
                self.kill(handle)  # It may live without its socket.
                self._worker_gone(handle, "ended, status unknown", None)

    def _on_zygote_gone(self) -> None:
        self._loop.remove_reader(self._zygote.channel.fileno())
        self._zygote_gone = True
        if self._done.is_set():
            return
        narrator.zygote_died(self._zygote.reap())
        self._exit_code = ExitCode.FAILURE
        if self.inflight.phase is Phase.RUNNING:
            self.stop("the process that forks workers died")
        self._bury_the_dead()

    def _watch_zygote_writable(self) -> None:
        if self._zygote.channel.wants_write:
            self._loop.add_writer(self._zygote.channel.fileno(), self._flush_zygote)

    def _flush_zygote(self) -> None:
        self._zygote.channel.flush()
        if not self._zygote.channel.wants_write or self._zygote.channel.closed:
            self._loop.remove_writer(self._zygote.channel.fileno())

    # The end.

    async def _leave(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._reporter.stop()
        self._receiver.close()
        self._settler.close()
        for handle in self._workers.values():
            self._loop.remove_reader(handle.channel.fileno())
            self._loop.remove_writer(handle.channel.fileno())
            self._watch.forget(handle)
            handle.channel.close()
        if not self._zygote_gone:
            self._loop.remove_reader(self._zygote.channel.fileno())
            self._loop.remove_writer(self._zygote.channel.fileno())
            await self._wait_for_exits()
            self._zygote.close()
        if self._zygote.wait(LEAVE_SECONDS) is None and self._zygote.kill_server():
            for handle in self._workers.values():
                self.kill(handle)  # They would have nobody who ends them.
        for handle in self._workers.values():
            handle.close()
        narrator.stopped(self.inflight, self._exit_code)

    async def _wait_for_exits(self) -> None:
        left = set(self._workers)
        gone = asyncio.Event()

        def hear() -> None:
            for event in self._zygote.receive():
                if isinstance(event, Exited):
                    left.discard(event.child)
            if not left or self._zygote.gone:
                gone.set()

        if not left:
            return
        self._loop.add_reader(self._zygote.channel.fileno(), hear)
        try:
            await asyncio.wait_for(gone.wait(), LEAVE_SECONDS)
        except TimeoutError:
            for child in left:
                self._zygote.kill(child, signal.SIGKILL, group=True)
        finally:
            self._loop.remove_reader(self._zygote.channel.fileno())
