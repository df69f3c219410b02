"""Decides what happens to each message of one queue while it is held here.

This alone knows all messages held, and couples what decides parts of it: `message` (the state
of one), `groups` (FIFO order), `prefetch` (how many), `polls` (receives), `batches` (calls).
It knows no SQS, no process, no clock: it is told events with the time, and `decide` answers
with actions. Each message held ends deleted or given back; if this process dies, its
visibility runs out and SQS has it.

Events may come in any order and at any time; several may come before one `decide`.

The life of the whole: RUNNING, then DRAINING (nothing new is received; what has not started goes
back at once; what runs may end), then FORCED (what still runs is killed and given back), then
DONE. A consumer that is never disturbed goes from DRAINING to DONE.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from squids.pool.actions import Action, Call, Dismiss, Hand, Kill, Notice, Recall, Receive, Recover, Report
from squids.pool.batches import Batch, Entry, Lingering, Operation
from squids.pool.groups import Groups
from squids.pool.heartbeat import Heartbeat
from squids.pool.message import Event, HeldMessage, State
from squids.pool.polls import News, Polls
from squids.pool.prefetch import Ask, AskLater, Prefetch, View
from squids.received import Received
from squids.retry import RetryPolicy
from squids.sqs_limits import MAX_BATCH

MOST_CALLS = 2
"""Deletes and visibility changes under way at once. While they are, more entries gather: fewer calls."""

FORCED_SECONDS = 5.0
"""How long a forced stop waits for SQS to take messages back, before they are left to their visibility."""

SETTLE_IS_TROUBLE = 2
"""Failed calls in a row of one operation after which the consumer counts as degraded."""

MOST_ENTRY_ATTEMPTS = 8
"""Tries of one entry that SQS refuses by itself, with a fault that is ours."""

UNANSWERED = "SQS did not answer for it"

ENTRY_RETRY = 0.5
"""Seconds before an entry that failed alone is tried again, times its attempts."""


class Phase(Enum):
    """The life of a consumer's messages as a whole."""

    RUNNING = "running"
    DRAINING = "draining"
    FORCED = "forced"
    DONE = "done"


class JobEnd(Enum):
    """How a worker says that a job ended. The values travel in frames."""

    DONE = "done"
    FAILED = "failed"
    BAD_MESSAGE = "bad"
    UNSTARTED = "unstarted"


class JobResult(NamedTuple):
    """What a worker reports of one job: its number, end, seconds taken, and for a failure why."""

    number: int
    end: JobEnd
    seconds: float = 0.0
    task: str | None = None
    error: str = ""
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the user set, in numbers: counts and seconds."""

    workers: int
    budget: int
    visibility: int
    shutdown_timeout: float
    exit_when_empty: bool = False
    wait: int = 5
    """What a long poll asks for."""


class InFlight:
    """All messages of one queue that are held here."""

    def __init__(self, limits: Limits, retry: RetryPolicy, *, attempt_prefix: str | None = None) -> None:
        self._limits = limits
        self._retry = retry
        self._fifo = attempt_prefix is not None
        self.phase = Phase.RUNNING
        self.prefetch = Prefetch(limits.workers, limits.budget)
        self.polls = Polls(attempt_prefix, limits.wait)
        self._groups = Groups()
        self._held: dict[str, HeldMessage] = {}
        self._ready: deque[str] = deque()
        self._workers: dict[int, dict[int, HeldMessage]] = {}
        self._idle: list[int] = []
        self._retired: set[int] = set()
        self._running = 0
        self._heartbeat = Heartbeat(limits.visibility)
        self._deletes = Lingering()
        self._returns = Lingering()
        self._calls = 0
        self._settle_trouble: dict[Operation, tuple[int, str]] = {}
        """Of each operation that fails: how often in a row, and why."""
        self._actions: list[Action] = []
        self._next_job = 1
        self._ask_later: float | None = None
        self._deadline: float | None = None
        self._recovering: set[int] = set()
        self.paused = False
        """Nothing is received; what is held goes on."""
        self.done = 0
        self.failed = 0

    # What is known.

    @property
    def held(self) -> int:
        return len(self._held)

    @property
    def running(self) -> int:
        return self._running

    @property
    def ready(self) -> int:
        return len(self._ready)

    @property
    def trouble(self) -> str | None:
        """Why it cannot do its work: it cannot receive, or settle. One failed call is no trouble yet."""
        if self.polls.trouble is not None:
            return self.polls.trouble
        lasting = (
            f"cannot {operation.value} messages: {reason}"
            for operation, (times, reason) in self._settle_trouble.items()
            if times >= SETTLE_IS_TROUBLE
        )
        return next(lasting, None)

    def settles_by(self) -> float | None:
        """When the first delete, return or beat is due that is not under way."""
        times = [waiting.wakes_at() for waiting in (self._deletes, self._returns, self._heartbeat)]
        return min((at for at in times if at is not None), default=None)

    def running_on(self, worker: int) -> Sequence[HeldMessage]:
        return list(self._workers.get(worker, {}).values())

    def message_of_job(self, worker: int, number: int) -> HeldMessage | None:
        return self._workers.get(worker, {}).get(number)

    # Events: workers.

    def worker_ready(self, worker: int) -> None:
        """A worker waits for its first job."""
        self._workers[worker] = {}
        self._is_idle(worker)

    def _is_idle(self, worker: int) -> None:
        if worker in self._retired:
            self._actions.append(Dismiss(worker))
        else:
            self._idle.append(worker)

    def retire(self, worker: int) -> None:
        """A worker is one too many: it is handed nothing more, and leaves when it has nothing to do."""
        self._retired.add(worker)
        if worker in self._idle:
            self._idle.remove(worker)
            self._actions.append(Dismiss(worker))

    def resize(self, limits: Limits) -> None:
        """The user wants another number of workers."""
        self._limits = limits
        self.prefetch.resize(limits.workers, limits.budget)

    def worker_gone(self, worker: int, started: int | None, how: str, now: float, jitter: float) -> None:
        """A worker is dead: `started` is the job it ran, if any; those behind it never started."""
        jobs = self._workers.pop(worker, {})
        self._retired.discard(worker)
        if worker in self._idle:
            self._idle.remove(worker)
        for number, message in jobs.items():
            self._running -= 1
            if number != started:
                self._unstarted(message, now)
            elif message.happens(Event.WORKER_LOST):
                if self.phase is Phase.FORCED:
                    self._give_back(message, 0, now)
                else:
                    self._fail(message, Notice.WORKER_LOST, now, jitter, how=how)

    def results(self, worker: int, results: Iterable[JobResult], now: float, jitter: float) -> None:
        """A worker reports jobs that ended."""
        jobs = self._workers.get(worker)
        if jobs is None:
            return
        for result in results:
            message = jobs.pop(result.number, None)
            if message is None:
                continue
            self._running -= 1
            if result.end is JobEnd.UNSTARTED:
                self._unstarted(message, now)
                continue
            self.prefetch.tasks.observe(result.seconds)
            if result.end is JobEnd.DONE:
                self._succeed(message, now)
            else:
                notice = Notice.TASK_FAILED if result.end is JobEnd.FAILED else Notice.BAD_MESSAGE
                message.happens(Event.FAILED)
                self._fail(
                    message,
                    notice,
                    now,
                    jitter,
                    task=result.task,
                    error=result.error,
                    traceback=result.traceback,
                )
        if not jobs:
            self._is_idle(worker)

    # Events: SQS.

    def received(self, number: int, messages: Sequence[Received], seconds: float, now: float) -> None:
        """A receive was answered; it took so many seconds."""
        poll = self.polls.under_way.get(number)
        new = sum(received.message_id not in self._held for received in messages)
        news = self.polls.answer(number, new, seconds, now)
        if news is News.HEALED:
            self._report(Notice.HEALED, f"after {now - self.polls.trouble_since:.0f} s")
        elif news is News.TROUBLE and self.phase is Phase.RUNNING:
            self._report(Notice.DEGRADED, self.polls.trouble or "")
        self._recovering.discard(number)
        if poll is not None:
            self.prefetch.received(poll.count, len(messages), seconds)
        for received in messages:
            self._take(received, now)
        if messages and not self._starts_new:
            after = "pause" if self.phase is Phase.RUNNING else "stop"
            self._report(Notice.GAVE_BACK, f"{len(messages)} that a receive brought after the {after}")

    def receive_failed(self, number: int, trouble: str, now: float, jitter: float) -> None:
        """A receive got no answer."""
        self._recovering.discard(number)
        news = self.polls.fail(number, trouble, now, jitter)
        if news is News.TROUBLE and self.phase is Phase.RUNNING:
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
        """A batch was answered, entry by entry. `failed` has (message id, reason, stale).

        If none of its entries was carried out, and not because they came too late, that is trouble like a
        call that failed: denied for each entry is denied.
        """
        self._calls -= 1
        self.prefetch.settles.observe(seconds)
        entries = {entry.message_id: entry for entry in batch.entries}
        done = [message_id for message_id in done if message_id in entries]
        failed = [refusal for refusal in failed if refusal[0] in entries]
        otherwise = None if failed else UNANSWERED
        refused = next((reason for _, reason, stale in failed if not stale), otherwise)
        if refused is not None and not done:
            self._settle_failed(batch.operation, refused, now, jitter)
        else:
            self._settle_answered(batch.operation)
        for message_id in done:
            entry = entries.pop(message_id, None)
            if entry is not None:
                self._entry_done(batch.operation, entry, sent_at, now)
        for message_id, reason, stale in failed:
            entry = entries.pop(message_id, None)
            if entry is not None:
                self._entry_failed(batch.operation, entry, reason, stale, now)
        for entry in entries.values():
            self._entry_failed(batch.operation, entry, UNANSWERED, False, now)

    def _settle_answered(self, operation: Operation) -> None:
        if self._settle_trouble.pop(operation, None) is not None and not self._settle_trouble:
            self._report(Notice.SETTLE_HEALED)
        self._kind(operation).call_answered()

    def _settle_failed(self, operation: Operation, trouble: str, now: float, jitter: float) -> None:
        times, _ = self._settle_trouble.get(operation, (0, ""))
        self._settle_trouble[operation] = times + 1, trouble
        if not times:
            self._report(Notice.SETTLE_TROUBLE, trouble, operation=operation.value)
        self._kind(operation).call_failed(now, jitter)

    def call_failed(self, batch: Batch, trouble: str, now: float, jitter: float) -> None:
        """A batch got no answer: nothing of it counts as done."""
        self._calls -= 1
        self._settle_failed(batch.operation, trouble, now, jitter)
        for entry in batch.entries:
            message = self._held.get(entry.message_id)
            if message is None:
                continue
            if batch.operation is Operation.EXTEND:
                message.extending = False
                self._after_beat(message, now)
            else:
                self._waiting(batch.operation).add(message.message_id, now, urgent=True)

    # Events: the end.

    def stop(self, now: float, within: float | None = None) -> None:
        """Receive no more; give back what has not started; let what runs end, within so many seconds or the
        shutdown timeout."""
        if self.phase is not Phase.RUNNING:
            return
        self.phase = Phase.DRAINING
        self._deadline = now + (self._limits.shutdown_timeout if within is None else within)
        released = [message for message in self._held.values() if message.state is State.BUFFERED]
        for message in released:
            self._release(message, now)
        self._ready.clear()
        self._deletes.make_urgent(self._held)
        self._returns.make_urgent(self._held)
        for worker, jobs in self._workers.items():
            if len(jobs) > 1:
                self._actions.append(Recall(worker))

    def force(self, now: float, patience: float = 0.0) -> None:
        """Kill what runs and give it back; wait so many seconds at most for receives under way."""
        if self.phase not in (Phase.FORCED, Phase.DONE):
            self.stop(now)
            self.phase = Phase.FORCED
            self._deadline = now + FORCED_SECONDS + patience
            self._kill_what_runs()
        if self.phase is Phase.FORCED and not patience:
            self._abandon_receives()

    def _abandon_receives(self) -> None:
        """What they still bring is left to the visibility timeout; FIFO queues give it once more."""
        abandoned = self.polls.abandon()
        for poll in abandoned if self._fifo else ():
            self._recovering.add(poll.number)
            self._actions.append(Recover(poll))

    def _kill_what_runs(self) -> None:
        for worker, jobs in self._workers.items():
            if jobs:
                self._actions.append(Kill(worker))
        if self._running:
            self._report(Notice.KILLING, f"{self._running} running")

    # The answer.

    def decide(self, now: float) -> list[Action]:
        """What to do now, in order. Call it after each event, or after several."""
        if self.phase is not Phase.RUNNING:
            self._end(now)
        else:
            self._hand_out(now)
        self._call(now)
        if self.phase is Phase.RUNNING:
            self._ask(now)
        actions, self._actions = self._actions, []
        return actions

    def wakes_at(self) -> float | None:
        """When to call `decide` again, if nothing happens before."""
        times: list[float] = []
        if self._calls < MOST_CALLS:
            for waiting in (self._deletes, self._returns, self._heartbeat):
                at = waiting.wakes_at()
                if at is not None:
                    times.append(at)
        if self.phase is Phase.RUNNING and not self.paused:
            if self._ask_later is not None:
                times.append(self._ask_later)
            if self.polls.not_before and not len(self.polls):
                times.append(self.polls.not_before)
        if self._deadline is not None and self.phase is not Phase.DONE:
            times.append(self._deadline)
        return min(times) if times else None

    # One message.

    @property
    def _starts_new(self) -> bool:
        """Whether what is received from now on is to run here. What was held before goes on all the same."""
        return self.phase is Phase.RUNNING and not self.paused

    def _take(self, received: Received, now: float) -> None:
        message = self._held.get(received.message_id)
        if message is not None:
            self._adopt(message, received, now)
            return
        group = received.group if self._fifo else None
        message = HeldMessage(
            message_id=received.message_id,
            receipt=received.receipt,
            body=received.body,
            receive_count=received.receive_count,
            sent_at=received.sent_at,
            group=group,
            received_at=now,
            visible_at=now + self._limits.visibility,
        )
        self._held[message.message_id] = message
        self._heartbeat.add(message)
        may_start = group is None or self._groups.add(group, message.message_id)
        if not self._starts_new:
            self._release(message, now)
        elif may_start:
            self._ready.append(message.message_id)

    def _adopt(self, message: HeldMessage, received: Received, now: float) -> None:
        """SQS gave it again while it is held: the newest receipt counts, and it is not run twice."""
        message.receipt = received.receipt
        message.receive_count = received.receive_count
        message.received_at = now
        message.visible_at = now + self._limits.visibility
        message.beats = True
        self._heartbeat.add(message)

    def _succeed(self, message: HeldMessage, now: float) -> None:
        self.done += 1
        message.happens(Event.SUCCEEDED)
        awaited = self.phase is not Phase.RUNNING
        if message.group is not None:
            awaited = awaited or bool(self._groups.followers(message.group))
        self._deletes.add(message.message_id, now, urgent=awaited)

    def _fail(
        self, message: HeldMessage, notice: Notice, now: float, jitter: float, **details: str | int | None
    ) -> None:
        self.failed += 1
        delay = self._retry.decide(message.receive_count, jitter).delay_seconds
        if delay is not None:
            details["retry_in"] = delay
        self._actions.append(Report(notice, message=message, details=dict(details)))
        if message.group is not None:
            for follower in self._groups.followers(message.group):
                self._release(self._held[follower], now)
        if delay is None:
            self._forget(message)
        else:
            self._give_back(message, delay, now)

    def _unstarted(self, message: HeldMessage, now: float) -> None:
        if not message.happens(Event.UNSTARTED):
            return
        if self.phase is Phase.RUNNING:
            self._ready.appendleft(message.message_id)
        else:
            self._release(message, now)

    def _release(self, message: HeldMessage, now: float) -> None:
        if message.happens(Event.RELEASED):
            self._give_back(message, 0, now)

    def _give_back(self, message: HeldMessage, seconds: int, now: float) -> None:
        message.return_seconds = self._heartbeat.clamp(message, seconds, now)
        if not message.extending:  # else after its beat is answered, which would undo the return
            self._returns.add(message.message_id, now, urgent=seconds == 0 or self.phase is not Phase.RUNNING)

    def _forget(self, message: HeldMessage) -> None:
        message.state = State.GONE
        self._held.pop(message.message_id, None)
        self._deletes.discard(message.message_id)
        self._returns.discard(message.message_id)
        if not self._held:
            self._settle_trouble.clear()  # Nothing is left that could show whether it lasts.
        if message.group is None:
            return
        head = self._groups.remove(message.group, message.message_id)
        if head is not None and self._held[head].state is State.BUFFERED:
            self._ready.append(head)

    # Calls and their entries.

    def _kind(self, operation: Operation) -> Lingering | Heartbeat:
        return self._heartbeat if operation is Operation.EXTEND else self._waiting(operation)

    def _waiting(self, operation: Operation) -> Lingering:
        return self._deletes if operation is Operation.DELETE else self._returns

    def _entry_done(self, operation: Operation, entry: Entry, sent_at: float, now: float) -> None:
        message = self._held.get(entry.message_id)
        if message is None:
            return
        if operation is Operation.EXTEND:
            message.extending = False
            if message.receipt == entry.receipt:
                message.visible_at = max(message.visible_at, sent_at + entry.seconds)
            self._after_beat(message, now)
            return
        if message.receipt != entry.receipt:
            # An old receipt's delete "succeeds" without deleting: again, with the newest.
            self._waiting(operation).add(message.message_id, now, urgent=True)
        elif message.happens(Event.SETTLED):
            self._forget(message)

    def _entry_failed(self, operation: Operation, entry: Entry, reason: str, stale: bool, now: float) -> None:
        message = self._held.get(entry.message_id)
        if message is None:
            return
        superseded = message.receipt != entry.receipt
        if operation is Operation.EXTEND:
            message.extending = False
            if stale and not superseded:
                self._visibility_lost(message, reason)
            elif not superseded:
                self._heartbeat.entry_failed(now)
            self._after_beat(message, now)
            return
        message.attempts += 1
        lost = stale and not superseded
        if lost or message.attempts >= MOST_ENTRY_ATTEMPTS:
            if operation is Operation.DELETE:
                self._report(Notice.TOO_LATE, reason, message=message)
            message.happens(Event.LAPSED)
            self._forget(message)
        else:
            self._waiting(operation).add(
                message.message_id, now, delay=0.0 if superseded else ENTRY_RETRY * message.attempts
            )

    def _visibility_lost(self, message: HeldMessage, reason: str) -> None:
        message.beats = False
        if message.state is State.RUNNING:
            self._report(Notice.VISIBILITY_LOST, reason, message=message)
        elif message.state is State.BUFFERED:
            message.happens(Event.LAPSED)
            self._forget(message)

    def _after_beat(self, message: HeldMessage, now: float) -> None:
        if message.state is State.RETURNING and message.message_id not in self._returns:
            self._returns.add(message.message_id, now, urgent=True)
        elif message.state is not State.GONE:
            self._heartbeat.add(message)

    # The parts of `decide`.

    def _hand_out(self, now: float) -> None:
        while self._idle and self._ready:
            chunk: list[HeldMessage] = []
            size = self.prefetch.chunk()
            while self._ready and len(chunk) < size:
                message = self._held.get(self._ready.popleft())
                if message is None or message.state is not State.BUFFERED:
                    continue
                if message.visible_at <= now:
                    message.happens(Event.LAPSED)
                    self._forget(message)
                    continue
                message.happens(Event.HANDED)
                message.number = self._next_job
                self._next_job += 1
                chunk.append(message)
            if chunk:
                worker = self._idle.pop()
                self._workers[worker] = {message.number: message for message in chunk}
                self._running += len(chunk)
                self._actions.append(Hand(worker, tuple(chunk)))

    def _call(self, now: float) -> None:
        company = self.phase is Phase.RUNNING and (self._running > 0 or bool(self._ready))
        while self._calls < MOST_CALLS:
            batch = self._beat(now) or self._settle(now, company)
            if batch is None:
                return
            self._calls += 1
            self._actions.append(Call(batch))

    def _beat(self, now: float) -> Batch | None:
        due, used_up = self._heartbeat.take(self._held.values(), now)
        for message in used_up:
            self._report(Notice.VISIBILITY_BOUND, message=message)
        if not due:
            return None
        for message, _ in due:
            message.extending = True
        return Batch(
            Operation.EXTEND,
            tuple(Entry(message.message_id, message.receipt, seconds) for message, seconds in due),
        )

    def _settle(self, now: float, company: bool) -> Batch | None:
        for operation, waiting in ((Operation.DELETE, self._deletes), (Operation.RETURN, self._returns)):
            entries = []
            for message_id in waiting.take(now, company_expected=company):
                message = self._held[message_id]
                entries.append(Entry(message_id, message.receipt, message.return_seconds))
            if entries:
                return Batch(operation, tuple(entries))
        return None

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
        self.polls.not_before = 0.0  # It has passed: whatever happens next asks.
        while self._workers:
            answer = self.prefetch.decide(now, self._view())
            if isinstance(answer, Ask):
                self._actions.append(Receive(self.polls.start(min(answer.count, MAX_BATCH))))
                continue
            if isinstance(answer, AskLater):
                self._ask_later = answer.at
            return

    def _view(self) -> View:
        return View(
            held=len(self._held),
            ready=len(self._ready),
            running=self._running,
            idle_workers=len(self._idle),
            expected=self.polls.expected,
            polls=len(self.polls),
        )

    def _end(self, now: float) -> None:
        if self.phase is Phase.DRAINING and self._overdue(now):
            self.force(now)
        quiet = not (self._held or self._calls or len(self.polls) or self._recovering)
        if quiet or (self.phase is Phase.FORCED and self._overdue(now)):
            self.phase = Phase.DONE

    def _overdue(self, now: float) -> bool:
        return self._deadline is not None and now >= self._deadline

    def _report(
        self, notice: Notice, text: str = "", message: HeldMessage | None = None, **details: object
    ) -> None:
        self._actions.append(Report(notice, text, message, details))
