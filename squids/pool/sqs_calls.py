"""Calls to SQS for one queue, in threads. What to call, and when, is decided in `inflight`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from squids.delivery import Delivery
from squids.pool.batches import Batch, Operation
from squids.pool.call_threads import Answer, CallThreads
from squids.pool.polls import Poll
from squids.pool.settings import Limits
from squids.pool.settling import MOST_CALLS
from squids.sqs import BatchAnswer, QueueClient, TroubleKind, classify

T = TypeVar("T")

RECEIVE_MARGIN = 20.0
"""Seconds beyond its wait within which a receive is answered: connecting and the answer's own time."""

SHORTEST_CALL, LONGEST_CALL = 3.0, 20.0
"""Bounds, in seconds, of the time that a delete or a visibility change may take."""


def patience(visibility: int) -> float:
    """Seconds that a delete or a visibility change may take: short enough for a heartbeat that has to wait
    for two calls that hang."""
    return min(LONGEST_CALL, max(SHORTEST_CALL, visibility / 4))


class SqsCalls:
    """Receives in threads of their own, so that a long poll delays no delete.

    `receives`: how many may be under way at once.
    """

    def __init__(
        self, client: QueueClient, limits: Limits, loop: asyncio.AbstractEventLoop, receives: int
    ) -> None:
        self._client = client
        self._limits = limits
        self._receives = CallThreads("squids-receive", receives, loop, limits.wait + RECEIVE_MARGIN)
        self._settles = CallThreads("squids-settle", MOST_CALLS, loop, patience(limits.visibility))

    @property
    def receiving(self) -> bool:
        """Whether a thread is still inside a receive."""
        return self._receives.busy > 0

    def receive(self, poll: Poll, on_answer: Callable[[Poll, Answer[list[Delivery]]], None]) -> None:
        """Receive what a poll asks for; `on_answer` runs in the loop."""
        wait = self._limits.wait if poll.long else 0

        def call() -> list[Delivery]:
            return self._client.receive(poll.count, wait, self._limits.visibility, poll.attempt_id)

        self._receives.submit(lambda: self._renewing(call), lambda answer: on_answer(poll, answer))

    def settle(self, batch: Batch, on_answer: Callable[[Batch, Answer[BatchAnswer]], None]) -> None:
        """Send a batch; `on_answer` runs in the loop."""

        def call() -> BatchAnswer:
            if batch.operation is Operation.DELETE:
                return self._client.delete([(entry.message_id, entry.receipt) for entry in batch.entries])
            return self._client.change_visibility(
                [(entry.message_id, entry.receipt, entry.seconds) for entry in batch.entries]
            )

        self._settles.submit(lambda: self._renewing(call), lambda answer: on_answer(batch, answer))

    def allow(self, receives: int) -> None:
        """Up to so many receives at once from now on, if that is more."""
        self._receives.allow(receives)

    def close(self) -> None:
        """Threads end once they are free."""
        self._receives.close()
        self._settles.close()

    def _renewing(self, call: Callable[[], T]) -> T:
        """In a thread. Expired or unknown credentials are looked up again for the next call."""
        try:
            return call()
        except Exception as error:
            if classify(error).kind is TroubleKind.EXPIRED:
                self._client.renew()
            raise
