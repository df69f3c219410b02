"""Records messages and runs them on demand, with retries, on a clock that the test controls."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from squids.app import App, living
from squids.delivery import Delivery
from squids.errors import BadMessage
from squids.execute import execute, find
from squids.job import JobEnd
from squids.queues import QueueRef
from squids.retry import RetryPolicy
from squids.testing.divert import diverted
from squids.wire import Call, decode

DEDUPLICATION_SECONDS = 300
"""How long a FIFO queue remembers a deduplication id.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
"""


class Clock:
    """The outbox's clock. `now` is in seconds since the epoch, and moves only by `advance` and `run_all`."""

    def __init__(self) -> None:
        self.now = time.time()

    def advance(self, seconds: float) -> None:
        """Move the clock forward. Raises ValueError if `seconds` is negative."""
        if seconds < 0:
            raise ValueError("time does not go back")
        self.now += seconds


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that was sent. `args` and `kwargs` are as JSON gives them.

    `sent_at`: by the outbox's clock. `arguments`: the given arguments by parameter name. `deduplication_id`:
    for a FIFO queue the given id, or the SHA-256 of the body as with content-based deduplication; None for
    other queues. `duplicate`: this id was sent to the queue less than five minutes before, so this message is
    never delivered; its `id` is that of the earlier message.
    """

    id: str
    queue: str
    task: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    arguments: dict[str, Any]
    options: dict[str, Any]
    body: str
    sent_at: float
    deduplication_id: str | None = None
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a message. `at` is by the outbox's clock; `error` is None if the task returned."""

    sent: Sent
    receive_count: int
    at: float
    error: BaseException | None


@dataclass(eq=False, slots=True)
class _PendingMessage:
    sent: Sent
    app: App
    due: float
    group: tuple[str, str] | None
    receives: int = 0


@dataclass(eq=False)
class Outbox:
    """The messages that were sent, in order. `box["emails"]` are those of one queue.

    `dead` are the messages that failed `max_receives` times. `run_all` or the test moves `clock`.
    """

    max_receives: int = 5
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    clock: Clock = field(default_factory=Clock)
    sent: list[Sent] = field(default_factory=list)
    dead: list[Sent] = field(default_factory=list)
    _pending: list[_PendingMessage] = field(default_factory=list, repr=False)
    _first: dict[tuple[str, str], Sent] = field(default_factory=dict, repr=False)
    """By queue and deduplication id, the last message that was not a duplicate."""

    def __getitem__(self, queue: str) -> list[Sent]:
        """Return the messages sent to a queue, by name, URL or ARN; may be empty.

        A name is that of the code, or that of SQS.

        Raises TypeError if `queue` is not a string, ValueError if it is malformed.
        """
        if not isinstance(queue, str):
            raise TypeError(f"name a queue, such as box['emails'][0], or take box.sent[{queue!r}]")
        names = {QueueRef.parse(queue).name, *(app.queue_ref(queue).name for app in living)}
        return [sent for sent in self.sent if sent.queue in names]

    def __len__(self) -> int:
        return len(self.sent)

    def __iter__(self) -> Iterator[Sent]:
        return iter(self.sent)

    def __bool__(self) -> bool:
        return bool(self.sent)

    def clear(self) -> None:
        """Forget all messages and deduplication ids."""
        self.sent.clear()
        self._first.clear()
        self.dead.clear()
        self._pending.clear()

    def run_due(self, *, limit: int = 1000) -> list[Run]:
        """Run each due message once, also due ones that are sent meanwhile.

        Exceptions of tasks are in the result, not raised. Raises RuntimeError if tasks send more than `limit`
        messages.
        """
        return self._run_due(_Bound(self.sent, limit))

    def run_all(self, *, check: bool = True, limit: int = 1000) -> list[Run]:
        """Run all messages, also those sent meanwhile; move the clock forward to those not yet due.

        A failed message runs again after its retry delay, up to `max_receives` times. `check`: at the end,
        raise the last error of the first message that failed every time. Raises RuntimeError if tasks send
        more than `limit` messages meanwhile, for instance if one sends itself.
        """
        runs: list[Run] = []
        before = len(self.dead)
        bound = _Bound(self.sent, limit)
        while self._pending:
            if self._next(self.clock.now, set()) is None:
                self.clock.now = max(self.clock.now, min(pending.due for pending in self._heads()))
            runs.extend(self._run_due(bound))
        if check and len(self.dead) > before:
            last = [run for run in runs if run.sent is self.dead[before]][-1]
            assert last.error is not None
            raise last.error
        return runs

    def _run_due(self, bound: _Bound) -> list[Run]:
        runs = []
        last = self.clock.now
        tried: set[_PendingMessage] = set()
        while (pending := self._next(last, tried)) is not None:
            tried.add(pending)
            runs.append(self._run(pending))
            bound.check()
        return runs

    def _heads(self) -> list[_PendingMessage]:
        """Return the messages that no earlier one of their FIFO group blocks."""
        seen: set[tuple[str, str]] = set()
        heads = []
        for pending in self._pending:
            if pending.group is None or pending.group not in seen:
                heads.append(pending)
            if pending.group is not None:
                seen.add(pending.group)
        return heads

    def _next(self, until: float, tried: set[_PendingMessage]) -> _PendingMessage | None:
        due = [pending for pending in self._heads() if pending.due <= until and pending not in tried]
        return min(due, key=lambda pending: pending.due, default=None)

    def _run(self, pending: _PendingMessage) -> Run:
        sent = pending.sent
        pending.receives += 1
        group = None if pending.group is None else pending.group[1]
        delivery = Delivery(sent.id, "", sent.body, pending.receives, sent.sent_at, group)
        app = pending.app
        outcome = execute(delivery, sent.queue, app.registry.by_any_name, app.hooks, app.json)
        error = outcome.exception
        if outcome.end is JobEnd.DONE:
            self._pending.remove(pending)
        elif pending.receives >= self.max_receives:
            self._pending.remove(pending)
            self.dead.append(sent)
        else:
            delay = self.retry.decide(pending.receives, jitter=1.0).delay_seconds
            pending.due = self.clock.now + (0 if delay is None else delay)
        return Run(sent, pending.receives, self.clock.now, error)

    def _take(self, app: App, ref: QueueRef, message_id: str, body: str, options: Mapping[str, Any]) -> str:
        """Record a message; return the id that SQS would return."""
        key = _deduplication_of(body, options) if ref.is_fifo else None
        first = self._first.get((ref.name, key)) if key is not None else None
        duplicate = first is not None and self.clock.now - first.sent_at < DEDUPLICATION_SECONDS
        call, arguments = _read(body, app)
        sent = Sent(
            id=first.id if first is not None and duplicate else message_id,
            queue=ref.name,
            task=call.task,
            args=tuple(call.args),
            kwargs=call.kwargs,
            arguments=arguments,
            options=dict(options),
            body=body,
            sent_at=self.clock.now,
            deduplication_id=key,
            duplicate=duplicate,
        )
        self.sent.append(sent)
        if not duplicate:
            if key is not None:
                self._first[ref.name, key] = sent
            group = (ref.name, str(options.get("MessageGroupId"))) if ref.is_fifo else None
            due = self.clock.now + float(options.get("DelaySeconds", 0))
            self._pending.append(_PendingMessage(sent, app, due, group))
        return sent.id


class _Bound:
    """Limits how many messages tasks may send while the outbox runs them."""

    def __init__(self, sent: list[Sent], limit: int) -> None:
        self._sent = sent
        self._before = len(sent)
        self._limit = limit

    def check(self) -> None:
        """Raise RuntimeError, with the task that was sent most often, if there are more."""
        if len(self._sent) - self._before <= self._limit:
            return
        task, times = Counter(sent.task for sent in self._sent[self._before :]).most_common(1)[0]
        raise RuntimeError(
            f"tasks sent more than {self._limit} messages while the outbox ran them, {times} of them to "
            f"{task or 'no task'}: does it send itself? If this is meant to end, pass a higher limit="
        )


def _deduplication_of(body: str, options: Mapping[str, Any]) -> str:
    given = options.get("MessageDeduplicationId")
    return hashlib.sha256(body.encode()).hexdigest() if given is None else str(given)


def _read(body: str, app: App) -> tuple[Call, dict[str, Any]]:
    """Return the call in a body, and its arguments by parameter name."""
    try:
        call = decode(body, app.json)
        bound = find(call, app.registry.by_any_name).signature.bind(*call.args, **call.kwargs)
        return call, dict(bound.arguments)
    except (BadMessage, TypeError):  # A pre_send hook changed it. SQS accepts it nevertheless.
        return Call(""), {}


@contextmanager
def outbox(*apps: App, max_receives: int = 5) -> Iterator[Outbox]:
    """Record what these apps send, and run it on demand; without arguments, for all apps.

    `max_receives`: how often a message may fail before it is dead, as in a queue's redrive policy.
    """
    box = Outbox(max_receives=max_receives)
    with diverted(apps, box._take):
        yield box
