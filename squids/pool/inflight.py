"""Decides what happens to each held message of one queue. Pure.

This module alone knows all held messages, and combines the parts that decide: `message` (the state of one),
`groups` (FIFO order), `prefetch` (how many), `polls` (receives), `roster` (workers), `settling` (deletes,
returns, heartbeats). It has no SQS, processes or clock: it is told events with the time, and `decide` returns
actions. Each held message is deleted or given back in the end; if this process dies, its visibility timeout
runs out and SQS delivers it again.

Events may come in any order and at any time, also several before one `decide`.

The phases are RUNNING, DRAINING (nothing is received; unstarted messages are given back at once; running jobs
may finish), FORCED (running jobs are killed and given back) and DONE. A drain that is not forced goes from
DRAINING to DONE.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from types import MappingProxyType

from squids.delivery import Delivery
from squids.job import JobEnd
from squids.pool.actions import Action, Notice, Receive, Recover, Report
from squids.pool.batches import Batch
from squids.pool.groups import Groups
from squids.pool.message import HeldMessage, MessageEvent, MessageState
from squids.pool.polls import Polls, TroubleChange
from squids.pool.prefetch import Ask, AskLater, Prefetch, View
from squids.pool.roster import JobResult, Roster
from squids.pool.settings import Limits
from squids.pool.settling import Settling
from squids.retry import RetryPolicy
from squids.sqs_limits import MAX_BATCH

FORCED_SECONDS = 5.0
"""How long a forced stop waits for returns, before messages are left to their visibility timeout."""


class Phase(Enum):
    """The phase of a consumer."""

    RUNNING = "running"
    DRAINING = "draining"
    FORCED = "forced"
    DONE = "done"


class InFlight:
    """All held messages of one queue."""

    def __init__(self, limits: Limits, retry: RetryPolicy, *, attempt_prefix: str | None = None) -> None:
        self._limits = limits
        self._retry = retry
        self._fifo = attempt_prefix is not None
        self._actions: list[Action] = []
        self._held: dict[str, HeldMessage] = {}
        self._ready: deque[str] = deque()
        self._groups = Groups()
        self._ask_later: float | None = None
        self.prefetch = Prefetch(limits.workers, limits.prefetch)
        self.polls = Polls(attempt_prefix, limits.wait)
        self.roster = Roster(self._actions)
        self.settling = Settling(self._held, limits.visibility, self._actions)
        self.phase = Phase.RUNNING
        self.deadline: float | None = None
        """When a stop is no longer waited for."""
        self.paused = False
        """Nothing is received; held messages run as usual."""
        self.done = 0
        self.failed = 0

    # State.

    def view(self) -> Mapping[str, HeldMessage]:
        """Return a read-only view of the held messages, by id."""
        return MappingProxyType(self._held)

    @property
    def held(self) -> int:
        return len(self._held)

    @property
    def running(self) -> int:
        return self.roster.running

    @property
    def ready(self) -> int:
        return len(self._ready)

    @property
    def trouble(self) -> str | None:
        """Why it cannot receive or settle, or None. A single failed settle call is not yet trouble."""
        return self.settling.trouble if self.polls.trouble is None else self.polls.trouble

    # Events: workers.

    def worker_ready(self, worker: int) -> None:
        """A worker waits for its first job."""
        self.roster.ready(worker)

    def retire(self, worker: int) -> None:
        """Retire a surplus worker: hand it nothing more, and dismiss it when idle."""
        self.roster.retire(worker)

    def resize(self, limits: Limits) -> None:
        """Use another number of workers."""
        self._limits = limits
        self.prefetch.resize(limits.workers, limits.prefetch)

    def worker_gone(self, worker: int, started: int | None, how: str, now: float, jitter: float) -> None:
        """A worker died. `started`: the job that it ran, if any; jobs behind it never started."""
        for number, message in self.roster.gone(worker).items():
            if number != started:
                self._unstarted(message, now)
            elif message.happens(MessageEvent.WORKER_LOST):
                if self.phase is Phase.FORCED:
                    self._give_back(message, 0, now)
                else:
                    self._fail(message, Notice.WORKER_LOST, now, jitter, how=how)

    def results(self, worker: int, results: Iterable[JobResult], now: float, jitter: float) -> None:
        """A worker reported finished jobs."""
        for result in results:
            message = self.roster.ended(worker, result.number)
            if message is not None:
                self._job_ended(message, result, now, jitter)

    def _job_ended(self, message: HeldMessage, result: JobResult, now: float, jitter: float) -> None:
        if result.end is JobEnd.UNSTARTED:
            self._unstarted(message, now)
            return
        self.prefetch.tasks.observe(result.seconds)
        if result.end is JobEnd.DONE:
            self._succeed(message, now)
            return
        message.happens(MessageEvent.FAILED)
        self._fail(
            message,
            Notice.TASK_FAILED if result.end is JobEnd.FAILED else Notice.BAD_MESSAGE,
            now,
            jitter,
            task=result.task,
            error=result.error,
            traceback=result.traceback,
        )

    # Events: SQS.

    def received(self, number: int, messages: Sequence[Delivery], seconds: float, now: float) -> None:
        """A receive was answered, after `seconds`."""
        poll = self.polls.under_way.get(number)
        new = sum(received.message_id not in self._held for received in messages)
        change = self.polls.answer(number, new, seconds, now)
        if change is TroubleChange.HEALED:
            self._report(Notice.HEALED, f"after {now - self.polls.trouble_since:.0f} s")
        elif change is TroubleChange.TROUBLE and self.phase is Phase.RUNNING:
            self._report(Notice.DEGRADED, self.polls.trouble or "")
        if poll is not None:
            self.prefetch.received(poll.count, len(messages), seconds)
        for received in messages:
            self._take(received, now)
        if messages and not self._starts_new:
            after = "pause" if self.phase is Phase.RUNNING else "stop"
            self._report(Notice.GAVE_BACK, f"{len(messages)} that a receive brought after the {after}")

    def receive_failed(self, number: int, trouble: str, now: float, jitter: float) -> None:
        """A receive failed."""
        change = self.polls.fail(number, trouble, now, jitter)
        if change is TroubleChange.TROUBLE and self.phase is Phase.RUNNING:
            self._report(Notice.DEGRADED, trouble)

    def answered(
        self,
        batch: Batch,
        done: Iterable[str],
        failed: Iterable[tuple[str, str, bool]],
        seconds: float,
        sent_at: float,
        now: float,
        jitter: float,
    ) -> None:
        """A batch was answered, entry by entry. `failed` has (message id, reason, stale)."""
        self.prefetch.settles.observe(seconds)
        for message in self.settling.answered(batch, done, failed, sent_at, now, jitter):
            self._forget(message)

    def call_failed(self, batch: Batch, trouble: str, now: float, jitter: float) -> None:
        """A batch failed: nothing in it counts as done."""
        self.settling.call_failed(batch, trouble, now, jitter)

    # Events: stopping.

    def stop(self, now: float, within: float | None = None) -> None:
        """Drain: stop receiving, give back unstarted messages, and let jobs finish.

        `within`: seconds for that; None: the shutdown timeout. If it drains already, it may only get shorter.
        """
        if self.phase is Phase.DRAINING and within is not None and self.deadline is not None:
            self.deadline = min(self.deadline, now + within)
        if self.phase is not Phase.RUNNING:
            return
        self.phase = Phase.DRAINING
        self.deadline = now + (self._limits.shutdown_timeout if within is None else within)
        for message in self._held.values():
            self._release(message, now)
        self._ready.clear()
        self.settling.send_soon()
        self.roster.recall_unstarted()

    def force(self, now: float, patience: float = 0.0) -> None:
        """Kill running jobs and give them back; wait up to `patience` seconds for receives in progress."""
        if self.phase not in (Phase.FORCED, Phase.DONE):
            self.stop(now)
            self.phase = Phase.FORCED
            self.deadline = now + FORCED_SECONDS + patience
            self.roster.kill_busy()
            if self.running:
                self._report(Notice.KILLING, f"{self.running} running")
        if self.phase is Phase.FORCED and not patience:
            self._actions.extend(Recover(poll) for poll in self.polls.abandon())

    # Decisions.

    def decide(self, now: float) -> list[Action]:
        """Return what to do now, in order. Call after each event, or after several."""
        if self.phase is not Phase.RUNNING:
            self._end(now)
        else:
            self._hand_out(now)
        # While jobs run or are about to, more messages will be settled soon.
        company = self.phase is Phase.RUNNING and (self.roster.running > 0 or bool(self._ready))
        self.settling.call(now, company_expected=company)
        if self.phase is Phase.RUNNING:
            self._ask(now)
        actions = self._actions.copy()
        self._actions.clear()
        return actions

    def wakes_at(self) -> float | None:
        """Return when to call `decide` again if nothing happens before."""
        times = [self.settling.wakes_at()]
        if self.phase is Phase.RUNNING and not self.paused:
            times += [self._ask_later, self.polls.wakes_at()]
        if self.phase is not Phase.DONE:
            times.append(self.deadline)
        known = [at for at in times if at is not None]
        return min(known) if known else None

    # One message.

    @property
    def _starts_new(self) -> bool:
        """Whether messages received from now on may run here. Messages already held run anyway."""
        return self.phase is Phase.RUNNING and not self.paused

    def _take(self, received: Delivery, now: float) -> None:
        message = self._held.get(received.message_id)
        if message is not None:
            # SQS delivered it again: the newest receipt counts, and it is not run twice.
            message.received_again(received, now, self._limits.visibility)
            self.settling.keep(message)
            return
        group = received.group if self._fifo else None
        message = HeldMessage.of(received, group, now, self._limits.visibility)
        self._held[message.message_id] = message
        self.settling.keep(message)
        may_start = group is None or self._groups.add(group, message.message_id)
        if not self._starts_new:
            self._release(message, now)
        elif may_start:
            self._ready.append(message.message_id)

    def _succeed(self, message: HeldMessage, now: float) -> None:
        self.done += 1
        message.happens(MessageEvent.SUCCEEDED)
        awaited = self.phase is not Phase.RUNNING
        if message.group is not None:
            awaited = awaited or bool(self._groups.followers(message.group))
        self.settling.delete(message, now, urgent=awaited)

    def _fail(
        self, message: HeldMessage, notice: Notice, now: float, jitter: float, **details: object
    ) -> None:
        self.failed += 1
        delay = self._retry.decide(message.receive_count, jitter).delay_seconds
        if delay is not None:
            details["retry_in"] = delay
        self._actions.append(Report(notice, message=message, details=details))
        if message.group is not None:
            for follower in self._groups.followers(message.group):
                self._release(self._held[follower], now)
        if delay is None:
            self._forget(message)
        else:
            self._give_back(message, delay, now)

    def _unstarted(self, message: HeldMessage, now: float) -> None:
        if not message.happens(MessageEvent.UNSTARTED):
            return
        if self.phase is Phase.RUNNING:
            self._ready.appendleft(message.message_id)
        else:
            self._release(message, now)

    def _release(self, message: HeldMessage, now: float) -> None:
        """Give a message back, unless it has started."""
        if message.happens(MessageEvent.RELEASED):
            self._give_back(message, 0, now)

    def _give_back(self, message: HeldMessage, seconds: int, now: float) -> None:
        self.settling.give_back(message, seconds, now, urgent=self.phase is not Phase.RUNNING)

    def _forget(self, message: HeldMessage) -> None:
        message.state = MessageState.GONE
        self._held.pop(message.message_id, None)
        self.settling.forget(message.message_id)
        if message.group is None:
            return
        head = self._groups.remove(message.group, message.message_id)
        if head is not None and self._held[head].state is MessageState.BUFFERED:
            self._ready.append(head)

    # Parts of `decide`.

    def _hand_out(self, now: float) -> None:
        while self._ready and self.roster.idle:
            messages = self._start(self.prefetch.chunk(), now)
            if messages:
                self.roster.hand(messages)

    def _start(self, most: int, now: float) -> list[HeldMessage]:
        """Return the next messages that may start.

        A message whose visibility ran out may run elsewhere, and is forgotten.
        """
        started: list[HeldMessage] = []
        while self._ready and len(started) < most:
            message = self._held.get(self._ready.popleft())
            if message is None or message.state is not MessageState.BUFFERED:
                continue
            if message.visible_at <= now:
                message.happens(MessageEvent.LAPSED)
                self._forget(message)
                continue
            message.happens(MessageEvent.HANDED)
            started.append(message)
        return started

    def _ask(self, now: float) -> None:
        self._ask_later = None
        if self.paused:
            return
        if self._limits.exit_when_empty and not self._held and self.polls.queue_empty:
            if not len(self.polls):
                self.stop(now)
                self._end(now)
            return
        if now < self.polls.not_before:
            return
        self.polls.not_before = 0.0  # It has passed: from now on, any event may start a receive.
        while len(self.roster):
            answer = self.prefetch.decide(now, self._counts())
            if isinstance(answer, Ask):
                self._actions.append(Receive(self.polls.start(min(answer.count, MAX_BATCH))))
                continue
            if isinstance(answer, AskLater):
                self._ask_later = answer.at
            return

    def _counts(self) -> View:
        return View(
            held=len(self._held),
            ready=len(self._ready),
            running=self.roster.running,
            idle_workers=self.roster.idle,
            expected=self.polls.expected,
            polls=len(self.polls),
        )

    def _end(self, now: float) -> None:
        if self.phase is Phase.DRAINING and self._overdue(now):
            self.force(now)
        quiet = self.polls.quiet and not (self._held or self.settling.under_way)
        if quiet or (self.phase is Phase.FORCED and self._overdue(now)):
            self.phase = Phase.DONE

    def _overdue(self, now: float) -> bool:
        return self.deadline is not None and now >= self.deadline

    def _report(
        self, notice: Notice, text: str = "", message: HeldMessage | None = None, **details: object
    ) -> None:
        self._actions.append(Report(notice, text, message, details))
