"""Decides the life of receives: which are under way, when to try again, and when the queue is empty.

A receive that fails starts a backoff up to a minute; the trouble is told once when it starts
(or changes its kind), and once when it is over. On FIFO queues each logical receive has an
attempt id of its own, and a receive that failed on the network is repeated with the same id,
so that SQS gives the same messages again instead of hiding them.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
(ReceiveRequestAttemptId)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from squids.backoff import Backoff

BACKOFF_FIRST = 0.5
BACKOFF_MAX = 60.0
"""Seconds between receives while SQS does not answer."""

EMPTY_POLLS = 2
"""Empty long polls in a row after which a queue counts as empty."""


@dataclass(frozen=True, slots=True)
class Poll:
    """One receive: its number, how many messages were asked for, and its attempt id on FIFO queues.

    The first ones, until SQS has answered once, are short polls: they tell soon that all is well.
    """

    number: int
    count: int
    attempt_id: str | None
    long: bool


class Polls:
    """Receives in progress and the trouble with them."""

    def __init__(self, attempt_prefix: str | None) -> None:
        self._attempt_prefix = attempt_prefix
        self._next_number = 1
        self._repeat: str | None = None
        self._backoff = Backoff(first=BACKOFF_FIRST, maximum=BACKOFF_MAX)
        self.under_way: dict[int, Poll] = {}
        self.not_before = 0.0
        self.trouble: str | None = None
        self.trouble_since = 0.0
        self.answered = False
        self.empty_in_a_row = 0

    def __len__(self) -> int:
        return len(self.under_way)

    def __iter__(self) -> Iterator[Poll]:
        return iter(self.under_way.values())

    @property
    def expected(self) -> int:
        """Messages that receives in progress may still bring."""
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

    def answer(self, number: int, got: int) -> bool:
        """SQS answered. True if this ends a trouble."""
        poll = self.under_way.pop(number, None)
        self.answered = True
        if got:
            self.empty_in_a_row = 0
        elif poll is not None and poll.long:
            self.empty_in_a_row += 1
        self._backoff.reset()
        self.not_before = 0.0
        healed = self.trouble is not None
        self.trouble = None
        return healed

    def fail(self, number: int, trouble: str, now: float, jitter: float) -> bool:
        """SQS did not answer. True if this is news: the first failure, or one of another kind."""
        poll = self.under_way.pop(number, None)
        if poll is not None and poll.attempt_id is not None:
            self._repeat = poll.attempt_id
        self.empty_in_a_row = 0
        self.not_before = self._backoff.failed(now, jitter)
        news = self.trouble != trouble
        if self.trouble is None:
            self.trouble_since = now
        self.trouble = trouble
        return news

    def abandon(self) -> list[Poll]:
        """Wait for them no longer."""
        polls = list(self.under_way.values())
        self.under_way.clear()
        return polls
