"""The state machine of one held message. `inflight` combines the messages of a queue. Pure.

    received -> BUFFERED -> RUNNING -> DELETING -> gone
                   |           +-----> RETURNING -> gone (SQS has it)
                   +-----------------> RETURNING

The table lists the transitions. Any other pair is ignored, for the reason given at `IGNORED`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from squids.bounds import NAME, cut
from squids.delivery import Delivery
from squids.errors import BadMessage
from squids.wire import decode

LARGE = 16 * 1024
"""Characters of a body above which parsing it for the task's name is too expensive."""


class MessageState(Enum):
    """The state of a held message. `GONE` is final: it is no longer held."""

    BUFFERED = "buffered"
    RUNNING = "running"
    DELETING = "deleting"
    RETURNING = "returning"
    GONE = "gone"

    # Members are singletons. Enum's own hash, of the name and in Python code, would slow down the table.
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
    # Another consumer may run it by now, so it must not start here.
    (MessageState.BUFFERED, MessageEvent.LAPSED): MessageState.GONE,
    # RUNNING has no row for LAPSED: it cannot be undone, and its delete is still attempted.
    (MessageState.RUNNING, MessageEvent.SUCCEEDED): MessageState.DELETING,
    (MessageState.RUNNING, MessageEvent.FAILED): MessageState.RETURNING,
    (MessageState.RUNNING, MessageEvent.UNSTARTED): MessageState.BUFFERED,
    (MessageState.RUNNING, MessageEvent.WORKER_LOST): MessageState.RETURNING,
    (MessageState.DELETING, MessageEvent.SETTLED): MessageState.GONE,
    (MessageState.DELETING, MessageEvent.LAPSED): MessageState.GONE,
    (MessageState.RETURNING, MessageEvent.SETTLED): MessageState.GONE,
    # SQS already has it, as intended.
    (MessageState.RETURNING, MessageEvent.LAPSED): MessageState.GONE,
}

IGNORED = None
"""The result for any other pair: no change.

Reports of workers and SQS may come late, twice, or cross: a worker's result for a message that was given
back, SQS's response for one that is gone. The first decision stands.
"""


@dataclass(slots=True)
class HeldMessage:
    """A held message. Times are monotonic seconds."""

    message_id: str
    receipt: str
    body: str
    receive_count: int
    sent_at: float | None
    group: str | None
    received_at: float
    visible_at: float
    """When SQS delivers it again, as far as known."""
    number: int = 0
    """The number of its job, new for each hand-out to a worker."""
    state: MessageState = MessageState.BUFFERED
    return_seconds: int = 0
    """The visibility timeout with which it is given back."""
    attempts: int = 0
    """Failed settle calls of this message."""
    extending: bool = False
    """Whether a heartbeat for it is in progress."""
    beats: bool = True
    """False if its receipt is stale, or its total visibility is used up."""

    @property
    def task(self) -> str | None:
        """The name of its task; None if it is invalid, or its body too large to parse."""
        if len(self.body) > LARGE:
            return None
        try:
            return cut(decode(self.body).task, NAME)
        except BadMessage:
            return None

    @classmethod
    def of(cls, received: Delivery, group: str | None, now: float, visibility: int) -> HeldMessage:
        """Make a message that was just received. `group`: the FIFO group whose order applies, if any."""
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
        """SQS delivered it again while held: only the newest receipt is valid."""
        self.receipt = received.receipt
        self.receive_count = received.receive_count
        self.received_at = now
        self.visible_at = now + visibility
        self.beats = True

    def happens(self, event: MessageEvent) -> bool:
        """Apply an event by the table. Returns False if it is ignored in this state."""
        state = TRANSITIONS.get((self.state, event), IGNORED)
        if state is IGNORED:
            return False
        self.state = state
        return True
