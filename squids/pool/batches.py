"""Decides when deletes and visibility changes are sent, and in which batches. Pure.

A call to SQS takes up to ten entries and costs the same for any number, so entries linger for a moment to
share a call. This module decides how long; `sqs_calls` calls SQS, and `settling` interprets the results.

An entry waits only while more can be expected, that is, while a job runs. It is sent at once when there are
ten, when no more can come, or when something waits for it (`urgent`: a drain, or the next message of a FIFO
group). Otherwise it is sent after the linger. A failed call delays all entries of its operation for a
backoff; an entry that failed by itself is delayed alone.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-batch-api-actions.html
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from squids.backoff import Backoff
from squids.sqs_limits import MAX_BATCH

LINGER = 0.010
"""Seconds that an entry may wait for others. More saves calls, and occupies the prefetch for longer."""

CALL_BACKOFF_FIRST = 0.25
CALL_BACKOFF_MAX = 20.0
"""Seconds between calls while whole calls fail. Short enough for a visibility timeout of a minute."""


class Operation(Enum):
    """What a batch does to its messages."""

    DELETE = "delete"
    RETURN = "return"
    EXTEND = "extend"


class Entry(NamedTuple):
    """One message of a batch: its id, its receipt, and the requested visibility in seconds."""

    message_id: str
    receipt: str
    seconds: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """One call to SQS: up to ten entries of one operation."""

    operation: Operation
    entries: tuple[Entry, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.entries) <= MAX_BATCH:
            raise ValueError(f"a batch has 1 to {MAX_BATCH} entries, not {len(self.entries)}")


class Lingering:
    """The message ids of one operation that wait for a call, oldest first.

    Receipts are read only when the batch is made, so that the newest is used.
    """

    def __init__(self, linger: float = LINGER) -> None:
        self._linger = linger
        self._due: dict[str, float] = {}
        self._urgent: set[str] = set()
        self._alone: set[str] = set()
        self._backoff = Backoff(first=CALL_BACKOFF_FIRST, maximum=CALL_BACKOFF_MAX)
        self._not_before = 0.0

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, message_id: str) -> bool:
        return message_id in self._due

    def add(self, message_id: str, now: float, *, urgent: bool = False, delay: float | None = None) -> None:
        """Add an entry that waits for the linger, not at all (`urgent`), or for `delay` seconds."""
        self.discard(message_id)
        self._due[message_id] = now + (self._linger if delay is None else delay)
        if delay is not None:
            self._alone.add(message_id)
        elif urgent:
            self._urgent.add(message_id)

    def discard(self, message_id: str) -> None:
        self._due.pop(message_id, None)
        self._urgent.discard(message_id)
        self._alone.discard(message_id)

    def make_urgent(self, message_ids: Iterable[str]) -> None:
        """Something waits for these: do not let them linger."""
        self._urgent.update(
            message_id
            for message_id in message_ids
            if message_id in self._due and message_id not in self._alone
        )

    def call_failed(self, now: float, jitter: float) -> None:
        """A whole call failed: send nothing of this operation until the backoff is over."""
        self._not_before = self._backoff.failed(now, jitter)

    def call_answered(self) -> None:
        self._backoff.reset()
        self._not_before = 0.0

    def take(self, now: float, *, company_expected: bool) -> list[str]:
        """Return the ids of the next batch, or none if it is better to wait."""
        if not self._due or now < self._not_before:
            return []
        ripe = [
            message_id for message_id, due in self._due.items() if due <= now or message_id not in self._alone
        ]
        is_ready = (
            len(ripe) >= MAX_BATCH
            or any(self._due[message_id] <= now for message_id in ripe)
            or bool(self._urgent)
            or (bool(ripe) and not company_expected)
        )
        if not is_ready:
            return []
        ripe.sort(key=lambda message_id: message_id not in self._urgent)
        batch = ripe[:MAX_BATCH]
        for message_id in batch:
            self.discard(message_id)
        return batch

    def wakes_at(self) -> float | None:
        """Return when an entry is due by time alone, or None."""
        if not self._due:
            return None
        return max(min(self._due.values()), self._not_before)
