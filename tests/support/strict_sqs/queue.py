"""The rules of one queue: who gets which message, when, and what a receipt is worth. No HTTP, no threads."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.strict_sqs.checks import (
    TWELVE_HOURS,
    bad_value,
    of_service,
    stale_receipt,
    unknown_receipt,
)

FIVE_MINUTES = 300
"""API_SendMessage and API_ReceiveMessage: how long ids of sends and of receives are remembered."""

GONE = "Message does not exist or is not available for visibility timeout change"


@dataclass(eq=False)
class Message:
    """One message and its present receive. Times are the queue's clock; `sent_at` and `first_received_at` are
    epoch seconds."""

    body: str
    group: str | None = None
    deduplication: str | None = None
    message_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    attributes: dict[str, Any] = field(default_factory=dict)
    sent_at: float = field(default_factory=time.time)
    first_received_at: float | None = None
    visible_at: float = 0.0
    received_at: float = 0.0
    receipt: str | None = None
    receive_count: int = 0


@dataclass(frozen=True)
class Event:
    """Something that happened to a message: `action` is the API's, `ok` whether it took effect."""

    at: float
    action: str
    queue: str
    message_id: str
    ok: bool = True
    seconds: int | None = None


@dataclass(eq=False)
class Queue:
    """A queue: its messages in order, and what became of all of them."""

    name: str
    visibility: int = 30
    max_receive_count: int | None = None
    dead_letter: Queue | None = None
    delay: int = 0
    content_deduplication: bool = False
    clock: Callable[[], float] = time.monotonic
    events: list[Event] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    attempts: dict[str, tuple[float, list[tuple[Message, str | None]]]] = field(default_factory=dict)
    _receipts: dict[str, Message] = field(default_factory=dict)
    _sent: dict[str, tuple[float, Message]] = field(default_factory=dict)

    @property
    def fifo(self) -> bool:
        return self.name.endswith(".fifo")

    def visible(self) -> list[Message]:
        """What a receive could bring now, but for FIFO's locks."""
        now = self.clock()
        return [message for message in self.messages if message.visible_at <= now]

    def in_flight(self) -> list[Message]:
        now = self.clock()
        return [message for message in self.messages if message.visible_at > now and message.receipt]

    def delayed(self) -> list[Message]:
        now = self.clock()
        return [message for message in self.messages if message.visible_at > now and not message.receipt]

    def next_visible(self, most: float) -> float:
        """Seconds until a message shows itself by time alone, `most` at most."""
        now = self.clock()
        return min([most, *(m.visible_at - now for m in self.messages if m.visible_at > now)])

    # Sending.

    def send(self, message: Message, delay: int | None = None) -> Message:
        """Add a message; on FIFO queues, the one that it repeats instead, if there is one."""
        if self.fifo:
            self._name_for_deduplication(message)
            assert message.deduplication is not None
            # API_SendMessage, MessageDeduplicationId: for five minutes a repeated one is accepted, not delivered;
            # remembered even after the message is received and deleted.
            at, earlier = self._sent.get(message.deduplication, (-FIVE_MINUTES, message))
            if self.clock() - at < FIVE_MINUTES:
                return earlier
            self._sent[message.deduplication] = (self.clock(), message)
        delay = self.delay if delay is None else delay
        message.visible_at = self.clock() + delay if delay else 0.0
        self.messages.append(message)
        self._log("SendMessage", message)
        return message

    def _name_for_deduplication(self, message: Message) -> None:
        if message.deduplication is None:
            # API_SendMessage: content-based is the SHA-256 of the body alone. Tests that `put` need neither.
            by_content = hashlib.sha256(message.body.encode()).hexdigest()
            message.deduplication = by_content if self.content_deduplication else message.message_id

    # Receiving.

    def take(self, count: int, visibility: int | None, attempt: str | None = None) -> list[Message]:
        """Receive: up to `count` messages, hidden from now for `visibility` seconds."""
        visibility = self.visibility if visibility is None else visibility
        replayed = self._replayed(attempt)
        taken = replayed or self._choose(count)
        now = self.clock()
        for message in taken:
            message.visible_at = now + visibility
            if not replayed:
                # API_DeleteMessage: each receive of a message gives a receipt of its own.
                message.receipt = f"{self.name}:{uuid.uuid4()}"
                message.received_at = now
                message.first_received_at = message.first_received_at or time.time()
                message.receive_count += 1
                self._receipts[message.receipt] = message
            self._log("ReceiveMessage", message, seconds=visibility)
        if attempt is not None and taken:
            self.attempts[attempt] = (now, [(message, message.receipt) for message in taken])
        return taken

    def _choose(self, count: int) -> list[Message]:
        now = self.clock()
        taken: list[Message] = []
        locked: set[str | None] = set()
        for message in list(self.messages):
            if len(taken) == count:
                break
            if self.fifo and message.group in locked:
                continue
            if message.visible_at > now:
                # API_ReceiveMessage: nothing more of a group while messages of it are invisible. So a receive brings
                # of one group what stands before the first invisible one (localstack#12457, #13386), in order, and
                # as many as it can (DG FIFO-queues-understanding-logic).
                locked.add(message.group)
            elif not self._redriven(message):
                taken.append(message)
        return taken

    def _redriven(self, message: Message) -> bool:
        """DG sqs-dead-letter-queues: it moves when its receive count would exceed maxReceiveCount, and at a
        receive, not before (localstack#8234)."""
        limit = self.max_receive_count
        if limit is None or self.dead_letter is None or message.receive_count < limit:
            return False
        self.messages.remove(message)
        message.receipt = None
        if self.fifo:
            # DG setting-up-dead-letter-queue-retention: on FIFO queues its time of sending begins anew.
            message.sent_at = time.time()
        self.dead_letter.messages.append(message)
        self._log("Redrive", message)
        return True

    def _replayed(self, attempt: str | None) -> list[Message]:
        """API_ReceiveMessage, ReceiveRequestAttemptId: for five minutes, and while all are invisible, the same id
        gives the same messages and receipts and sets their visibility anew, unless one was deleted or changed.
        (Whether the receive count rises is not said; here it does not.)"""
        if attempt is None or attempt not in self.attempts:
            return []
        at, given = self.attempts[attempt]
        now = self.clock()
        unchanged = all(
            message in self.messages and message.receipt == receipt and message.visible_at > now
            for message, receipt in given
        )
        return [message for message, _ in given] if unchanged and now - at < FIVE_MINUTES else []

    # Settling.

    def delete(self, receipt: str) -> None:
        message = self._of(receipt)
        if message not in self.messages:
            return  # Deleted already: API_DeleteMessage says nothing of an error.
        if self.fifo and (message.receipt != receipt or message.visible_at <= self.clock()):
            # API_ReceiveMessage: deleting fails when the visibility timeout has run out.
            self._log("DeleteMessage", message, ok=False)
            raise stale_receipt(receipt, "The receipt handle has expired")
        if message.receipt != receipt:
            # API_DeleteMessage: with an old receipt the request succeeds, but the message might not be deleted.
            self._log("DeleteMessage", message, ok=False)
            return
        self.messages.remove(message)
        self._log("DeleteMessage", message)
        self._void_attempts(message)

    def change_visibility(self, receipt: str, seconds: int) -> None:
        message = self._of(receipt)
        if not 0 <= seconds <= TWELVE_HOURS:
            raise bad_value(
                f"Value {seconds} for parameter VisibilityTimeout is invalid. Reason: 0 to 43200."
            )
        if message not in self.messages or message.receipt != receipt:
            raise stale_receipt(receipt, GONE)
        now = self.clock()
        if message.visible_at <= now:
            # API_ChangeMessageVisibility, MessageNotInflight.
            raise of_service("MessageNotInflight", "The specified message isn't in flight.")
        if now + seconds > message.received_at + TWELVE_HOURS:
            # API_ChangeMessageVisibility: more than what is left of the twelve hours is an error, not less time
            # (the text: aws-sdk-net#794).
            total = f"Total VisibilityTimeout for the message is beyond the limit [{TWELVE_HOURS} seconds]"
            raise bad_value(f"Value {seconds} for parameter VisibilityTimeout is invalid. Reason: {total}.")
        message.visible_at = now + seconds
        self._log("ChangeMessageVisibility", message, seconds=seconds)
        self._void_attempts(message)

    def _of(self, receipt: str) -> Message:
        try:
            return self._receipts[receipt]
        except KeyError:
            raise unknown_receipt(receipt) from None

    def _void_attempts(self, message: Message) -> None:
        for attempt, (_, given) in list(self.attempts.items()):
            if any(message is one for one, _ in given):
                del self.attempts[attempt]

    def _log(self, action: str, message: Message, *, ok: bool = True, seconds: int | None = None) -> None:
        self.events.append(Event(self.clock(), action, self.name, message.message_id, ok, seconds))

    # What it says of itself.

    def shown(self, message: Message, names: Sequence[str], attribute_names: Sequence[str]) -> dict[str, Any]:
        """A message in an answer, with the system attributes and the sender's own that were asked for."""
        system = {
            "ApproximateReceiveCount": str(message.receive_count),
            "ApproximateFirstReceiveTimestamp": str(int((message.first_received_at or 0) * 1000)),
            "SenderId": "AIDATESTING",
            "SentTimestamp": str(int(message.sent_at * 1000)),
        }
        if message.group is not None:
            system["MessageGroupId"] = message.group
        if message.deduplication is not None:
            system["MessageDeduplicationId"] = message.deduplication
        answer: dict[str, Any] = {
            "MessageId": message.message_id,
            "ReceiptHandle": message.receipt,
            "Body": message.body,
            "MD5OfBody": md5(message.body),
        }
        if wanted := {key: value for key, value in system.items() if key in names or "All" in names}:
            answer["Attributes"] = wanted
        own = {
            k: v for k, v in message.attributes.items() if k in attribute_names or "All" in attribute_names
        }
        return {**answer, "MessageAttributes": own} if own else answer


def md5(text: str) -> str:
    return hashlib.md5(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
