"""Decides which calls SQS gets for held messages: deletes, returns and heartbeats. Pure.

Each message that is done or given back waits here until SQS confirms it. `batches` decides when an entry is
sent and with which others, `heartbeat` when a visibility is extended. This module decides which of them is
called next, how many calls are in progress at once, and what a response means for each message in it. A
response counts only for the receipt that was sent. A return waits for a heartbeat in progress, which would
undo it.

`inflight` decides which messages are deleted or given back, and forgets those that are settled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from squids.pool.actions import Action, ApplyBatch, Notice, Report
from squids.pool.batches import Batch, Entry, Lingering, Operation
from squids.pool.heartbeat import Heartbeat
from squids.pool.message import HeldMessage, MessageEvent, MessageState

MAX_CALLS = 2
"""Concurrent calls. While they are in progress, more entries collect, which saves calls."""

LASTING_FAILURES = 2
"""Failed calls of one operation in a row after which the consumer counts as degraded."""

MAX_ENTRY_ATTEMPTS = 8
"""Attempts for one entry of a batch, if SQS refuses it or leaves it unanswered."""

ENTRY_RETRY = 0.5
"""Seconds before an entry that failed by itself is retried, times its attempts."""

UNANSWERED = "SQS did not answer for it"


class Settling:
    """The calls for the messages of one queue.

    `held`: all held messages by id. This changes the messages, but neither adds nor removes one. Calls and
    reports are added to `actions`.
    """

    def __init__(self, held: Mapping[str, HeldMessage], visibility: int, actions: list[Action]) -> None:
        self._held = held
        self._actions = actions
        self._heartbeat = Heartbeat(visibility)
        self._deletes = Lingering()
        self._returns = Lingering()
        self._failures: dict[Operation, tuple[int, str]] = {}
        """For each failing operation: the number of failures in a row, and the reason."""
        self.under_way = 0
        """Calls in progress."""

    @property
    def trouble(self) -> str | None:
        """Why messages cannot be settled, or None. A single failed call is not yet trouble."""
        lasting = (
            f"cannot {operation.value} messages: {reason}"
            for operation, (times, reason) in self._failures.items()
            if times >= LASTING_FAILURES
        )
        return next(lasting, None)

    def due_at(self) -> float | None:
        """Return when the first entry is due that is not in progress."""
        times = []
        for waiting in (self._deletes, self._returns, self._heartbeat):
            at = waiting.wakes_at()
            if at is not None:
                times.append(at)
        return min(times) if times else None

    def wakes_at(self) -> float | None:
        """Return when a call may be due, or None if there are enough in progress."""
        return self.due_at() if self.under_way < MAX_CALLS else None

    # Messages.

    def keep(self, message: HeldMessage) -> None:
        """Extend its visibility from now on: it was received, or received again."""
        self._heartbeat.add(message)

    def delete(self, message: HeldMessage, now: float, *, urgent: bool) -> None:
        """Delete a message; `urgent`: without waiting for others."""
        self._deletes.add(message.message_id, now, urgent=urgent)

    def give_back(self, message: HeldMessage, seconds: int, now: float, *, urgent: bool) -> None:
        """Have SQS deliver a message again after `seconds`."""
        message.return_seconds = self._heartbeat.clamp(message, seconds, now)
        if not message.extending:  # Otherwise after its heartbeat, which would undo the return.
            self._returns.add(message.message_id, now, urgent=urgent or seconds == 0)

    def send_soon(self) -> None:
        """Let no entry linger any longer."""
        self._deletes.make_urgent(self._held)
        self._returns.make_urgent(self._held)

    def forget(self, message_id: str) -> None:
        """A message is no longer held."""
        self._deletes.discard(message_id)
        self._returns.discard(message_id)
        if not self._held:
            self._failures.clear()  # No messages are left to show whether it lasts.

    # Calls.

    def call(self, now: float, *, company_expected: bool) -> None:
        """Start the calls that are due. Heartbeats come first: a late one loses its message."""
        while self.under_way < MAX_CALLS:
            batch = self._beats(now) or self._settles(now, company_expected)
            if batch is None:
                return
            self.under_way += 1
            self._actions.append(ApplyBatch(batch))

    def _beats(self, now: float) -> Batch | None:
        due, used_up = self._heartbeat.take(self._held.values(), now)
        for message in used_up:
            self._actions.append(Report(Notice.VISIBILITY_BOUND, message=message))
        if not due:
            return None
        for message, _ in due:
            message.extending = True
        entries = tuple(Entry(message.message_id, message.receipt, seconds) for message, seconds in due)
        return Batch(Operation.EXTEND, entries)

    def _settles(self, now: float, company_expected: bool) -> Batch | None:
        for operation, waiting in ((Operation.DELETE, self._deletes), (Operation.RETURN, self._returns)):
            entries = []
            for message_id in waiting.take(now, company_expected=company_expected):
                message = self._held[message_id]
                entries.append(Entry(message_id, message.receipt, message.return_seconds))
            if entries:
                return Batch(operation, tuple(entries))
        return None

    # Responses.

    def answered(
        self,
        batch: Batch,
        done: Iterable[str],
        failed: Iterable[tuple[str, str, bool]],
        sent_at: float,
        now: float,
        jitter: float,
    ) -> list[HeldMessage]:
        """Handle a response, entry by entry; return the messages to forget.

        `failed` has (message id, reason, stale). If no entry succeeded, and not because all were stale, this
        is trouble like a failed call: a permission that is denied is denied for each entry.
        """
        self.under_way -= 1
        entries = {entry.message_id: entry for entry in batch.entries}
        done = [message_id for message_id in done if message_id in entries]
        failed = [refusal for refusal in failed if refusal[0] in entries]
        otherwise = None if failed else UNANSWERED
        refused = next((reason for _, reason, stale in failed if not stale), otherwise)
        if refused is not None and not done:
            self._operation_failed(batch.operation, refused, now, jitter)
        else:
            self._operation_answered(batch.operation)
        touched = []
        for message_id in done:
            entry = entries.pop(message_id, None)
            if entry is not None:
                touched.append(self._entry_done(batch.operation, entry, sent_at, now))
        for message_id, reason, stale in failed:
            entry = entries.pop(message_id, None)
            if entry is not None:
                touched.append(self._entry_failed(batch.operation, entry, reason, stale, now))
        touched.extend(
            self._entry_failed(batch.operation, entry, UNANSWERED, False, now) for entry in entries.values()
        )
        return [message for message in touched if message is not None and message.state is MessageState.GONE]

    def call_failed(self, batch: Batch, trouble: str, now: float, jitter: float) -> None:
        """A call failed: nothing in it counts as done."""
        self.under_way -= 1
        self._operation_failed(batch.operation, trouble, now, jitter)
        for entry in batch.entries:
            message = self._held.get(entry.message_id)
            if message is None:
                continue
            if batch.operation is Operation.EXTEND:
                message.extending = False
                self._after_beat(message, now)
            else:
                self._waiting(batch.operation).add(message.message_id, now, urgent=True)

    def _operation_answered(self, operation: Operation) -> None:
        if self._failures.pop(operation, None) is not None and not self._failures:
            self._actions.append(Report(Notice.SETTLE_HEALED))
        self._pace(operation).call_answered()

    def _operation_failed(self, operation: Operation, trouble: str, now: float, jitter: float) -> None:
        times, _ = self._failures.get(operation, (0, ""))
        self._failures[operation] = times + 1, trouble
        if not times:
            details: dict[str, object] = {"operation": operation.value}
            self._actions.append(Report(Notice.SETTLE_TROUBLE, trouble, details=details))
        self._pace(operation).call_failed(now, jitter)

    def _pace(self, operation: Operation) -> Lingering | Heartbeat:
        return self._heartbeat if operation is Operation.EXTEND else self._waiting(operation)

    def _waiting(self, operation: Operation) -> Lingering:
        return self._deletes if operation is Operation.DELETE else self._returns

    # Entries.

    def _entry_done(
        self, operation: Operation, entry: Entry, sent_at: float, now: float
    ) -> HeldMessage | None:
        message = self._held.get(entry.message_id)
        if message is None:
            return None
        superseded = message.receipt != entry.receipt
        if operation is Operation.EXTEND:
            message.extending = False
            if not superseded:
                message.visible_at = max(message.visible_at, sent_at + entry.seconds)
            self._after_beat(message, now)
        elif superseded:
            # A delete with an old receipt "succeeds" without deleting: repeat it with the newest.
            self._waiting(operation).add(message.message_id, now, urgent=True)
        else:
            message.happens(MessageEvent.SETTLED)
        return message

    def _entry_failed(
        self, operation: Operation, entry: Entry, reason: str, stale: bool, now: float
    ) -> HeldMessage | None:
        message = self._held.get(entry.message_id)
        if message is None:
            return None
        superseded = message.receipt != entry.receipt
        if operation is Operation.EXTEND:
            message.extending = False
            if stale and not superseded:
                self._visibility_lost(message, reason)
            elif not superseded:
                self._heartbeat.entry_failed(now)
            self._after_beat(message, now)
            return message
        message.attempts += 1
        if (stale and not superseded) or message.attempts >= MAX_ENTRY_ATTEMPTS:
            if operation is Operation.DELETE:
                self._actions.append(Report(Notice.TOO_LATE, reason, message))
            message.happens(MessageEvent.LAPSED)
        else:
            delay = 0.0 if superseded else ENTRY_RETRY * message.attempts
            self._waiting(operation).add(message.message_id, now, delay=delay)
        return message

    def _visibility_lost(self, message: HeldMessage, reason: str) -> None:
        message.beats = False
        if message.state is MessageState.RUNNING:
            self._actions.append(Report(Notice.VISIBILITY_LOST, reason, message))
        elif message.state is MessageState.BUFFERED:
            message.happens(MessageEvent.LAPSED)

    def _after_beat(self, message: HeldMessage, now: float) -> None:
        if message.state is MessageState.RETURNING and message.message_id not in self._returns:
            self._returns.add(message.message_id, now, urgent=True)
        elif message.state is not MessageState.GONE:
            self._heartbeat.add(message)
