"""Decides when the visibility of held messages is extended, and by how much. Pure.

A receive requests a short visibility timeout. Before half of it has passed, it is extended for each held
message, until the message is settled. So a lost machine delays its messages by no more than that timeout, and
a task may take hours. A heartbeat never follows a return: messages that are given back are skipped, and their
return waits for a heartbeat in progress (see `settling`).

SQS permits twelve hours from the receive. It rejects longer requests, so they are clamped here, with a
margin. At the limit, a message's heartbeats end, which is reported once.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from squids.backoff import Backoff
from squids.pool.message import HeldMessage, MessageState
from squids.sqs_limits import MAX_BATCH, MAX_VISIBILITY

BEAT_AFTER = 0.4
"""Fraction of the visibility that may pass before a heartbeat. Under a half, so that one may fail."""

TOGETHER = 0.1
"""Fraction of the visibility by which a heartbeat may be early, to share a call with others."""

BOUND_MARGIN = 60
"""Seconds subtracted from the twelve hours, for clocks and calls."""

EXTENDED_STATES = (MessageState.BUFFERED, MessageState.RUNNING, MessageState.DELETING)


class Heartbeat:
    """When the next heartbeat is due. The caller keeps the messages."""

    def __init__(self, visibility: int) -> None:
        self._visibility = visibility
        self._next: float | None = None
        self._not_before = 0.0
        self._backoff = Backoff(first=min(0.5, visibility / 10), maximum=max(1.0, visibility / 6))

    def add(self, message: HeldMessage) -> None:
        """A message's visibility was set or extended."""
        due = self._due(message)
        if message.beats and (self._next is None or due < self._next):
            self._next = due

    def take(
        self, held: Iterable[HeldMessage], now: float
    ) -> tuple[list[tuple[HeldMessage, int]], list[HeldMessage]]:
        """Return up to ten messages to extend now, with seconds; and those that used up the twelve hours."""
        if self._next is None or now < max(self._next, self._not_before):
            return [], []
        due: list[tuple[HeldMessage, int]] = []
        used_up = []
        following: float | None = None
        for message in held:
            if message.extending or not message.beats or message.state not in EXTENDED_STATES:
                continue
            at = self._due(message)
            if at <= now + self._visibility * TOGETHER and len(due) < MAX_BATCH:
                seconds = self.clamp(message, self._visibility, now)
                if seconds < 1 or now + seconds <= message.visible_at:
                    message.beats = False
                    used_up.append(message)
                else:
                    due.append((message, seconds))
            elif following is None or at < following:
                following = at
        self._next = following
        return due, used_up

    def wakes_at(self) -> float | None:
        """Return when a heartbeat may be due: possibly too early, never too late."""
        return None if self._next is None else max(self._next, self._not_before)

    def clamp(self, message: HeldMessage, seconds: int, now: float) -> int:
        """Limit the seconds to what remains of the twelve hours since the receive."""
        left = message.received_at + MAX_VISIBILITY - BOUND_MARGIN - now
        return max(0, min(seconds, math.floor(left)))

    def call_failed(self, now: float, jitter: float) -> None:
        self._not_before = self._backoff.failed(now, jitter)

    def call_answered(self) -> None:
        self._backoff.reset()
        self._not_before = 0.0

    def entry_failed(self, now: float) -> None:
        """SQS refused a heartbeat although its receipt is valid: wait a moment before the next."""
        self._not_before = max(self._not_before, now + min(0.5, self._visibility / 10))

    def _due(self, message: HeldMessage) -> float:
        return message.visible_at - self._visibility * (1 - BEAT_AFTER)
