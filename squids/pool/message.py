"""Decides the state of one held message. `inflight` couples the messages of a queue.

    received -> BUFFERED -> RUNNING -> DELETING -> gone
                   |           +-----> RETURNING -> gone (SQS has it)
                   +-----------------> RETURNING

The table lists the moves. Every pair that it does not list is ignored, for the reason that `IGNORED` gives.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from squids.bounds import NAME, cut
from squids.delivery import Delivery
from squids.errors import BadMessage
from squids.wire import decode

LARGE = 16 * 1024
"""Characters of a body above which the task's name is not worth the parsing."""


class MessageState(Enum):
    """Where a held message is. `GONE` is the end: it is no longer held."""

    BUFFERED = "buffered"
    RUNNING = "running"
    DELETING = "deleting"
    RETURNING = "returning"
    GONE = "gone"

    # Members are single objects; what Enum hashes instead, a string in Python code, is felt in the table.
    __hash__ = object.__hash__


class MessageEvent(Enum):
    """What can happen to a message."""

    HANDED = "handed to a worker"
    SUCCEEDED = "its task returned"
    FAILED = "its task raised, or the message cannot be run"
    UNSTARTED = "its worker gives it back unrun"
    WORKER_LOST = "its worker died or was killed while it ran"
    RELEASED = "it is to go back unrun"
    SETTLED = "SQS confirmed its delete or its return"
    LAPSED = "its visibility ran out, or SQS no longer knows its receipt"

    __hash__ = object.__hash__


TRANSITIONS: dict[tuple[MessageState, MessageEvent], MessageState] = {
    (MessageState.BUFFERED, MessageEvent.HANDED): MessageState.RUNNING,
    (MessageState.BUFFERED, MessageEvent.RELEASED): MessageState.RETURNING,
    # Another consumer may run it by now: it must not start here.
    (MessageState.BUFFERED, MessageEvent.LAPSED): MessageState.GONE,
    # RUNNING has no row for LAPSED: it cannot be unrun, and its delete is still tried at the end.
    (MessageState.RUNNING, MessageEvent.SUCCEEDED): MessageState.DELETING,
    (MessageState.RUNNING, MessageEvent.FAILED): MessageState.RETURNING,
    (MessageState.RUNNING, MessageEvent.UNSTARTED): MessageState.BUFFERED,
    (MessageState.RUNNING, MessageEvent.WORKER_LOST): MessageState.RETURNING,
    (MessageState.DELETING, MessageEvent.SETTLED): MessageState.GONE,
    (MessageState.DELETING, MessageEvent.LAPSED): MessageState.GONE,
    (MessageState.RETURNING, MessageEvent.SETTLED): MessageState.GONE,
    # SQS has it already, which is what was asked for.
    (MessageState.RETURNING, MessageEvent.LAPSED): MessageState.GONE,
}

IGNORED = None
"""The answer to every other pair: nothing changes.

Workers and SQS report on their own time, so a report can come late, twice, or cross with another: a worker's
result for a message that was given back, SQS's answer for one that is gone. What was decided first stands.
"""


@dataclass(slots=True)
class HeldMessage:
    """What is known of a held message. Times are monotonic seconds."""

    message_id: str
    receipt: str
    body: str
    receive_count: int
    sent_at: float | None
    group: str | None
    received_at: float
    visible_at: float
    """When SQS shows it to others again, as far as is known here."""
    number: int = 0
    """Its job's number: new each time it is handed to a worker."""
    state: MessageState = MessageState.BUFFERED
    return_seconds: int = 0
    """The visibility it goes back with."""
    attempts: int = 0
    """Settle calls that failed for it."""
    extending: bool = False
    """A heartbeat for it is under way."""
    beats: bool = True
    """False when its receipt is stale, or its total visibility is used up."""

    @property
    def task(self) -> str | None:
        """The task that it calls, if it says so and is short enough to look."""
        if len(self.body) > LARGE:
            return None
        try:
            return cut(decode(self.body).task, NAME)
        except BadMessage:
            return None

    @classmethod
    def of(cls, received: Delivery, group: str | None, now: float, visibility: int) -> HeldMessage:
        """A message that was just received, and is to be run in the order of this group, if any."""
        return cls(
            received.message_id,
            received.receipt,
            received.body,
            received.receive_count,
            received.sent_at,
            group,
            received_at=now,
            visible_at=now + visibility,
        )

    def received_again(self, received: Delivery, now: float, visibility: int) -> None:
        """SQS gave it a second time while it is held: only its newest receipt is good."""
        self.receipt = received.receipt
        self.receive_count = received.receive_count
        self.received_at = now
        self.visible_at = now + visibility
        self.beats = True

    def happens(self, event: MessageEvent) -> bool:
        """Move by the table. False if the event is ignored in this state."""
        state = TRANSITIONS.get((self.state, event), IGNORED)
        if state is IGNORED:
            return False
        self.state = state
        return True
