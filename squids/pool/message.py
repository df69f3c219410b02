"""Decides the state of one held message. `inflight` couples the messages of a queue.

    received -> BUFFERED -> RUNNING -> DELETING -> gone
                   |           +-----> RETURNING -> gone (SQS has it)
                   +-----------------> RETURNING

The table is total: each event has an answer in each state, and `IGNORED` is an answer. An
event ends in the same state where only the record changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """Where a held message is. `GONE` is the end: it is held no more."""

    BUFFERED = "buffered"
    RUNNING = "running"
    DELETING = "deleting"
    RETURNING = "returning"
    GONE = "gone"

    # Members are single objects; what Enum hashes instead, a string in Python code, is felt in the table.
    __hash__ = object.__hash__


class Event(Enum):
    """What can happen to a message."""

    HANDED = "handed to a worker"
    SUCCEEDED = "its task returned"
    FAILED = "its task raised, or nobody can run it"
    UNSTARTED = "its worker gives it back unrun"
    WORKER_LOST = "its worker died or was killed while it ran"
    RELEASED = "it shall go back unrun"
    REDELIVERED = "SQS gave it again"
    SETTLED = "SQS confirmed its delete or its return"
    LAPSED = "its visibility ran out, or SQS knows its receipt no more"

    __hash__ = object.__hash__


@dataclass(frozen=True, slots=True)
class Ignored:
    """The event changes nothing in this state."""


IGNORED = Ignored()

S, E = State, Event
TRANSITIONS: dict[tuple[State, Event], State | Ignored] = {
    (S.BUFFERED, E.HANDED): S.RUNNING,
    (S.BUFFERED, E.SUCCEEDED): IGNORED,
    (S.BUFFERED, E.FAILED): IGNORED,
    (S.BUFFERED, E.UNSTARTED): IGNORED,
    (S.BUFFERED, E.WORKER_LOST): IGNORED,
    (S.BUFFERED, E.RELEASED): S.RETURNING,
    (S.BUFFERED, E.REDELIVERED): S.BUFFERED,
    (S.BUFFERED, E.SETTLED): IGNORED,
    # Another consumer may run it by now: it must not start here.
    (S.BUFFERED, E.LAPSED): S.GONE,
    (S.RUNNING, E.HANDED): IGNORED,
    (S.RUNNING, E.SUCCEEDED): S.DELETING,
    (S.RUNNING, E.FAILED): S.RETURNING,
    (S.RUNNING, E.UNSTARTED): S.BUFFERED,
    (S.RUNNING, E.WORKER_LOST): S.RETURNING,
    (S.RUNNING, E.RELEASED): IGNORED,
    (S.RUNNING, E.REDELIVERED): S.RUNNING,
    (S.RUNNING, E.SETTLED): IGNORED,
    # It cannot be unrun; its delete is still tried at the end.
    (S.RUNNING, E.LAPSED): S.RUNNING,
    (S.DELETING, E.HANDED): IGNORED,
    (S.DELETING, E.SUCCEEDED): IGNORED,
    (S.DELETING, E.FAILED): IGNORED,
    (S.DELETING, E.UNSTARTED): IGNORED,
    (S.DELETING, E.WORKER_LOST): IGNORED,
    (S.DELETING, E.RELEASED): IGNORED,
    (S.DELETING, E.REDELIVERED): S.DELETING,
    (S.DELETING, E.SETTLED): S.GONE,
    (S.DELETING, E.LAPSED): S.GONE,
    (S.RETURNING, E.HANDED): IGNORED,
    (S.RETURNING, E.SUCCEEDED): IGNORED,
    (S.RETURNING, E.FAILED): IGNORED,
    (S.RETURNING, E.UNSTARTED): IGNORED,
    (S.RETURNING, E.WORKER_LOST): IGNORED,
    (S.RETURNING, E.RELEASED): IGNORED,
    (S.RETURNING, E.REDELIVERED): S.RETURNING,
    (S.RETURNING, E.SETTLED): S.GONE,
    # SQS has it already, which is what was asked for.
    (S.RETURNING, E.LAPSED): S.GONE,
    (S.GONE, E.HANDED): IGNORED,
    (S.GONE, E.SUCCEEDED): IGNORED,
    (S.GONE, E.FAILED): IGNORED,
    (S.GONE, E.UNSTARTED): IGNORED,
    (S.GONE, E.WORKER_LOST): IGNORED,
    (S.GONE, E.RELEASED): IGNORED,
    (S.GONE, E.REDELIVERED): IGNORED,
    (S.GONE, E.SETTLED): IGNORED,
    (S.GONE, E.LAPSED): IGNORED,
}
del S, E


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
    state: State = State.BUFFERED
    return_seconds: int = 0
    """The visibility it goes back with."""
    attempts: int = 0
    """Settle calls that failed for it."""
    extending: bool = False
    """A heartbeat for it is under way."""
    settling: bool = False
    """A delete or return for it is under way."""
    beats: bool = True
    """False when its receipt is stale, or its total visibility is used up."""

    def happens(self, event: Event) -> bool:
        """Move by the table. False if the event changes nothing here."""
        answer = TRANSITIONS[self.state, event]
        if isinstance(answer, Ignored):
            return False
        self.state = answer
        return True
