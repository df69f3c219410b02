"""The shell of a pooled consumer: one queue, many workers, one loop.

It decides nothing about messages: it passes events to `inflight` and carries out the returned actions, by
`workers` (the processes), threads that call SQS, and timers.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from squids.delivery import Delivery
from squids.exit_codes import ExitCode
from squids.pool import log_events
from squids.pool.actions import (
    Action,
    ApplyBatch,
    Dismiss,
    Hand,
    KillWorker,
    RecallUnstarted,
    Receive,
    Recover,
    Report,
)
from squids.pool.batches import Batch
from squids.pool.call_threads import Answer
from squids.pool.inflight import InFlight, Phase
from squids.pool.job_reports import JobReports
from squids.pool.polls import Poll
from squids.pool.reporting import Reporter, figures
from squids.pool.roster import JobResult
from squids.pool.settings import PoolSettings
from squids.pool.sqs_calls import SqsCalls
from squids.pool.worker_set import WorkersOf, WorkerView
from squids.pool.workers import EXIT_SECONDS, WorkerEnd
from squids.process.figures import ConsumerFigures
from squids.process.liveness import Liveness, NoListener
from squids.process.stops import StopBy, Stops
from squids.sqs import BatchAnswer, QueueClient, TroubleKind, classify

ADVANCE_MARGIN = 45.0
"""Seconds beyond its wait in which a receive must finish, including connecting and credentials."""

START_TROUBLES = frozenset(
    {
        TroubleKind.UNREACHABLE,
        TroubleKind.TLS,
        TroubleKind.NO_QUEUE,
        TroubleKind.CREDENTIALS,
        TroubleKind.DENIED,
    }
)
"""With `exit_when_empty`, the consumer exits on these at the start instead of retrying."""


class PooledConsumer:
    """Runs until it is stopped or cannot continue. `run` returns the exit code."""

    def __init__(self, settings: PoolSettings, client: QueueClient, workers_of: WorkersOf) -> None:
        """Create inside the loop in which it will run."""
        self._settings = settings
        limits = settings.limits
        prefix = f"squids-{os.getpid()}-{random.getrandbits(64):x}" if settings.queue.is_fifo else None
        self.inflight = InFlight(limits, settings.retry, attempt_prefix=prefix)
        self._loop = asyncio.get_running_loop()
        self._calls = SqsCalls(client, limits, self._loop, self._most_receives)
        self.workers = workers_of(settings, self, self._loop)
        self._exit_code = ExitCode.OK
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._deciding = False
        self._done = asyncio.Event()
        self._stops = Stops()
        self._announced = False
        self._start_trouble = False
        self._reported_trouble: str | None = None
        self._poll_started: dict[int, float] = {}
        self.jobs = JobReports()
        self.on_ready: Callable[[], None] = lambda: None
        self.report_to(NoListener())

    def report_to(self, liveness: Liveness) -> None:
        """Set the receiver of reports. Call before `run`."""
        self.liveness = liveness
        self._reporter = Reporter(liveness, self._figures, self._advances, self._loop)

    async def run(self) -> ExitCode:
        """Start the workers, and consume until told to stop."""
        self.workers.start()
        log_events.started(self._settings)
        self.liveness.booted()
        self._reporter.start()
        await self._done.wait()
        await self._leave()
        return self._exit_code

    @property
    def _most_receives(self) -> int:
        # One more, to repeat an abandoned receive on a FIFO queue.
        return self.inflight.prefetch.most_polls + 1

    @property
    def stuck_in_receive(self) -> bool:
        """Whether a thread is still inside a receive: then the process can only exit by `os._exit`."""
        return self._calls.receiving

    def stop(self, reason: str, within: float | None = None, *, by: StopBy = StopBy.SIGNAL) -> None:
        """Drain; if it is the sender's second request (`process.stops`), force.

        `within`: seconds that jobs may take, by default the shutdown timeout. When forced: seconds that
        receives in progress may take, by default none.
        """
        now = time.monotonic()
        forces = self._stops.forces(by, now)
        self.liveness.stopping(reason)
        if self.inflight.phase is Phase.RUNNING:
            log_events.stopping(reason, self.inflight, self._settings.limits.wait, by)
        if not forces:
            self.inflight.stop(now, within)
        else:
            log_events.forcing(reason)
            self.inflight.force(now, within or 0.0)
            self.workers.cut_short()
        self.decide()

    def pause(self, on: bool) -> None:
        """Stop receiving, or resume.

        Held messages still run. Those of a receive in progress are given back.
        """
        if self.inflight.paused != on:
            self.inflight.paused = on
            log_events.paused(on)
            self._reporter.nudge()
            self.decide()

    def scale(self, workers: int) -> None:
        """Change the number of workers. Surplus ones exit when their jobs have finished."""
        limits = self._settings.limits
        if workers == limits.workers or workers < 1:
            return
        prefetch = 2 * workers if limits.prefetch == 2 * limits.workers else limits.prefetch
        limits = replace(limits, workers=workers, prefetch=prefetch)
        self._settings = replace(self._settings, limits=limits)
        self.inflight.resize(limits)
        self._calls.allow(self._most_receives)
        log_events.scaled(workers)
        for child in self.workers.resize(workers):
            self.inflight.retire(child)
        self.workers.fill()
        self._reporter.nudge()
        self.decide()

    def report_state(self) -> None:
        """Log one line about the current state."""
        running = []
        for worker in self.workers.handles:
            started = worker.started_job()
            if started is not None:
                running.append((worker.slot, time.monotonic() - started[1]))
        log_events.state(self.inflight, len(self.workers.ready), self._settings.limits.workers, running)

    # Deciding and acting.

    def decide(self) -> None:
        """Decide and carry out actions. Does nothing when called recursively."""
        if self._deciding:
            return
        self._deciding = True
        try:
            for action in self.inflight.decide(time.monotonic()):
                self._carry_out(action)
        finally:
            self._deciding = False
        self._report_trouble()
        if self.inflight.phase is Phase.DONE:
            self._done.set()
        else:
            self._set_timer(self.inflight.wakes_at())

    def _set_timer(self, at: float | None) -> None:
        if self._timer is not None:
            # An early timer costs one check; resetting it for each message costs more.
            if at is None or self._timer_at <= at:
                return
            self._timer.cancel()
        if at is None:
            return
        self._timer_at = at
        self._timer = self._loop.call_at(at, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self.decide()

    def _carry_out(self, action: Action) -> None:
        """Carry out an action. A failure is accounted for, and does not affect other actions."""
        try:
            self._act(action)
        except Exception as error:
            log_events.action_failed(action, error)
            now, chance = time.monotonic(), random.random()
            match action:
                case Receive() | Recover():
                    self._poll_started.pop(action.poll.number, None)
                    self.inflight.receive_failed(action.poll.number, str(error), now, chance)
                case ApplyBatch():
                    self.inflight.call_failed(action.batch, str(error), now, chance)
                case Hand() if action.worker in self.workers:
                    self.workers.kill(self.workers[action.worker])  # Its end settles the messages.

    def _report_trouble(self) -> None:
        trouble = self.inflight.trouble or self.workers.trouble
        if trouble != self._reported_trouble:
            self._reported_trouble = trouble
            self.liveness.degraded(trouble)

    def _act(self, action: Action) -> None:
        match action:
            case Hand():
                self.jobs.handed(action.messages, self.workers[action.worker].slot)
                self.workers.assign(action.worker, action.messages)
                self._reporter.nudge()
            case Receive() | Recover():
                self._poll_started[action.poll.number] = time.monotonic()
                self._calls.receive(action.poll, self._on_received)
            case ApplyBatch():
                self.jobs.returning(action.batch)
                self._calls.settle(action.batch, self._on_settled)
            case RecallUnstarted(worker):
                self.workers.recall(worker)
            case KillWorker(worker):
                self.workers.kill(self.workers[worker])
            case Dismiss(worker):
                self.workers.dismiss(worker)
            case Report():
                log_events.report(action, self._settings.queue, self._start_trouble)
                self.jobs.reported(action)

    # Results of SQS.

    def _on_received(self, poll: Poll, answer: Answer[list[Delivery]]) -> None:
        self._poll_started.pop(poll.number, None)
        if answer.error is not None:
            self._receive_failed(poll, answer.error)
        else:
            messages = answer.value or []
            self.inflight.received(poll.number, messages, answer.seconds, answer.answered_at)
            if not self._announced:
                self._announced = True
                log_events.ready(self._settings.queue, len(self.workers.ready))
                self.liveness.ready()
                self.on_ready()
        self.decide()

    def _receive_failed(self, poll: Poll, error: Exception) -> None:
        trouble = classify(error)
        self._start_trouble = trouble.kind in START_TROUBLES and not self.inflight.polls.answered
        hopeless = trouble.kind is TroubleKind.CONFIG or (
            self._settings.limits.exit_when_empty
            and (self._start_trouble or trouble.kind is TroubleKind.NO_QUEUE)
        )
        now = time.monotonic()
        if hopeless and self.inflight.phase is Phase.RUNNING:
            self._exit_code = ExitCode.CONFIG
            log_events.hopeless(self._settings.queue, trouble.text)
            self.inflight.stop(now)  # First: else the failure is logged as one that is tried again.
            self.inflight.receive_failed(poll.number, trouble.text, now, random.random())
            self.stop(trouble.text, by=StopBy.ITSELF)
        else:
            self.inflight.receive_failed(poll.number, trouble.text, now, random.random())

    def _advances(self, now: float) -> bool:
        """Whether receives finish in time, and settle calls are sent in time."""
        longest = self._settings.limits.wait + ADVANCE_MARGIN
        receives = all(now - started <= longest for started in self._poll_started.values())
        due = self.inflight.settling.due_at()
        return receives and (due is None or now - due <= ADVANCE_MARGIN)

    def _figures(self) -> ConsumerFigures:
        return figures(self.inflight, self.workers, self._reporter.times, self._settings.warnings)

    def _on_settled(self, batch: Batch, answer: Answer[BatchAnswer]) -> None:
        now = time.monotonic()
        if answer.value is None:
            text = classify(answer.error).text if answer.error is not None else "no answer"
            self.inflight.call_failed(batch, text, now, random.random())
        else:
            failed = [(f.id, f"{f.code}: {f.message}", f.stale) for f in answer.value.failed]
            done, jitter = answer.value.done, random.random()
            self.inflight.answered(batch, done, failed, answer.seconds, answer.sent_at, now, jitter)
        self.decide()

    # Implementation of workers.Owner.

    @property
    def hires(self) -> bool:
        """Whether dead workers are replaced."""
        return self.inflight.phase is Phase.RUNNING

    @property
    def over(self) -> bool:
        """Whether everything is settled, and the workers are about to exit."""
        return self._done.is_set()

    def worker_ready(self, handle: WorkerView) -> None:
        """A worker waits for its first job."""
        self.inflight.worker_ready(handle.child)

    def jobs_ended(self, handle: WorkerView, results: Sequence[JobResult]) -> None:
        """A worker reported jobs."""
        self.jobs.ended(results, partial(self.inflight.roster.message_of_job, handle.child))
        self._reporter.times.extend(result.seconds for result in results if result.seconds)
        self.inflight.results(handle.child, results, time.monotonic(), random.random())

    def worker_gone(self, end: WorkerEnd) -> None:
        """A worker died: settle its jobs."""
        handle = end.handle
        busy = bool(self.inflight.roster.jobs_of(handle.child))
        if busy or not (end.retired or handle.failure):
            log_events.worker_ended(handle, end.how, end.status, busy, self.inflight.phase)
        self.inflight.worker_gone(handle.child, end.started, end.how, time.monotonic(), random.random())

    def workers_keep_dying(self) -> None:
        """Give up."""
        self._exit_code = ExitCode.FAILURE
        self.stop("workers die again and again", by=StopBy.ITSELF)

    def fork_server_died(self) -> None:
        """Drain with the remaining workers."""
        self._exit_code = ExitCode.FAILURE
        if self.inflight.phase is Phase.RUNNING:
            self.stop("the process that forks workers died", by=StopBy.ITSELF)

    def blame_fork_server(self, reason: str) -> None:
        """Report it to the process that started it, which must kill it."""
        self.liveness.fork_server_hangs(reason)

    # The end.

    async def _leave(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._calls.close()
        left = (self.inflight.deadline or 0.0) - time.monotonic()
        await self.workers.close(max(EXIT_SECONDS, left))
        self._reporter.stop()  # Not earlier: worker_stop hooks may take their time.
        log_events.stopped(self.inflight, self._exit_code)
