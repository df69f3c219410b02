"""Decides about receives: which are in progress, when to retry, and when the queue is empty. Pure.

A failed receive starts a backoff of up to a minute. The trouble is reported when it starts or changes its
kind, and when it is over. On FIFO queues each logical receive has its own attempt id, and a receive that
failed is repeated with the same id, so that SQS returns the same messages again instead of hiding them.

A response without a new message that comes much sooner than the requested wait causes a pause, which doubles
up to that wait. Otherwise a server that ignores the wait or redelivers held messages, a proxy that answers in
its place, or polling without a wait would cause hundreds of paid requests per second. The first new message
ends the pauses. Several such responses in a row to polls with a wait are reported as trouble.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
(ReceiveRequestAttemptId)
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from squids.backoff import Backoff, exponential

BACKOFF_FIRST = 0.5
BACKOFF_MAX = 60.0
"""Seconds between receives while SQS does not answer."""

PAUSE_FIRST = 0.05
SHORT_POLL_PAUSE = 1.0
"""Seconds between receives that return at once without messages.

The first pause, and the longest one without a wait. One short poll per second is 86,400 requests a day.
"""

AT_ONCE_IS_TROUBLE = 5
"""Premature empty responses in a row before they are reported. SQS itself may send one occasionally."""

EMPTY_POLLS = 2
"""Empty long polls in a row after which a queue counts as empty."""


@dataclass(frozen=True, slots=True)
class Poll:
    """One receive: its number, the requested number of messages, and its attempt id on FIFO queues.

    The receives before SQS's first response are short polls, to confirm quickly that everything works.
    """

    number: int
    count: int
    attempt_id: str | None
    long: bool


class TroubleChange(Enum):
    """How a response, or a failure, changes the trouble."""

    TROUBLE = 1
    HEALED = 2


class Polls:
    """Receives in progress, and trouble with them. `wait`: seconds that a long poll requests."""

    def __init__(self, attempt_prefix: str | None, wait: int) -> None:
        self._attempt_prefix = attempt_prefix
        self._wait = wait
        self._at_once = 0
        self._next_number = 1
        self._repeat: str | None = None
        self._backoff = Backoff(first=BACKOFF_FIRST, maximum=BACKOFF_MAX)
        self._recovering: set[int] = set()
        self.under_way: dict[int, Poll] = {}
        self.not_before = 0.0
        self.trouble: str | None = None
        self.trouble_since = 0.0
        self.answered = False
        self.empty_in_a_row = 0

    def __len__(self) -> int:
        return len(self.under_way)

    @property
    def quiet(self) -> bool:
        """Whether no response is pending."""
        return not self.under_way and not self._recovering

    @property
    def expected(self) -> int:
        """Return how many messages receives in progress may still bring."""
        return sum(poll.count for poll in self.under_way.values())

    @property
    def queue_empty(self) -> bool:
        return self.empty_in_a_row >= EMPTY_POLLS

    def start(self, count: int) -> Poll:
        attempt_id = None
        if self._attempt_prefix is not None:
            attempt_id = self._repeat or f"{self._attempt_prefix}-{self._next_number}"
            self._repeat = None
        poll = Poll(self._next_number, count, attempt_id, long=self.answered)
        self._next_number += 1
        self.under_way[poll.number] = poll
        return poll

    def answer(self, number: int, got: int, seconds: float, now: float) -> TroubleChange | None:
        """SQS answered after `seconds`. `got`: the number of messages that were not already held."""
        poll = self.under_way.pop(number, None)
        self._recovering.discard(number)
        self.answered = True
        if got:
            self.empty_in_a_row = 0
        elif poll is not None and poll.long:
            self.empty_in_a_row += 1
        self._backoff.reset()
        before, self.trouble = self.trouble, self._pace(poll, got, seconds, now)
        if before == self.trouble:
            return None
        if self.trouble is None:
            return TroubleChange.HEALED
        self.trouble_since = now
        return TroubleChange.TROUBLE

    def _pace(self, poll: Poll | None, got: int, seconds: float, now: float) -> str | None:
        """Set the pause after this response. Returns the trouble that it is part of, or None."""
        if got or poll is None or not poll.long or (self._wait and seconds >= self._wait / 2):
            self._at_once = 0
            self.not_before = 0.0
            return None
        self._at_once += 1
        longest = max(float(self._wait), SHORT_POLL_PAUSE)
        self.not_before = now + exponential(self._at_once, first=PAUSE_FIRST, maximum=longest, jitter=1.0)
        if not self._wait or self._at_once < AT_ONCE_IS_TROUBLE:
            return None
        return f"answers without new messages come at once, though a wait of {self._wait} s was asked for"

    def fail(self, number: int, trouble: str, now: float, jitter: float) -> TroubleChange | None:
        """A receive failed. Returns TroubleChange.TROUBLE at the first failure, and if the reason changed."""
        poll = self.under_way.pop(number, None)
        self._recovering.discard(number)
        if poll is not None and poll.attempt_id is not None:
            self._repeat = poll.attempt_id
        self.empty_in_a_row = 0
        self.not_before = self._backoff.failed(now, jitter)
        before, self.trouble = self.trouble, trouble
        if before is None:
            self.trouble_since = now
        return TroubleChange.TROUBLE if before != trouble else None

    def abandon(self) -> list[Poll]:
        """Stop waiting for receives; return those to repeat.

        On FIFO queues, the messages of an abandoned receive would block their groups. Elsewhere the
        visibility timeout is enough.
        """
        polls = list(self.under_way.values()) if self._attempt_prefix is not None else []
        self._recovering.update(poll.number for poll in polls)
        self.under_way.clear()
        return polls

    def wakes_at(self) -> float | None:
        """Return when the next receive may start, if only a pause or a backoff delays it."""
        return self.not_before if self.not_before and not self.under_way else None
