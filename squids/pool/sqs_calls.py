"""Calls to SQS for one queue, in threads. `inflight` decides what to call, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from squids.delivery import Delivery
from squids.pool.batches import Batch, Operation
from squids.pool.call_threads import Answer, CallThreads
from squids.pool.polls import Poll
from squids.pool.settings import Limits
from squids.pool.settling import MAX_CALLS
from squids.sqs import BatchAnswer, QueueClient, TroubleKind, classify

T = TypeVar("T")

RECEIVE_MARGIN = 20.0
"""Seconds beyond its wait in which a receive must be answered, including connecting."""

SHORTEST_CALL, LONGEST_CALL = 3.0, 20.0
"""Limits, in seconds, of the time that a delete or a visibility change may take."""


def patience(visibility: int) -> float:
    """Return the seconds that a delete or a visibility change may take.

    They are short enough for a heartbeat that waits for two calls that hang.
    """
    return min(LONGEST_CALL, max(SHORTEST_CALL, visibility / 4))


class SqsCalls:
    """Calls to SQS. Receives have their own threads, so that a long poll delays no delete.

    `receives`: the maximum number of concurrent receives.
    """

    def __init__(
        self, client: QueueClient, limits: Limits, loop: asyncio.AbstractEventLoop, receives: int
    ) -> None:
        self._client = client
        self._limits = limits
        self._receives = CallThreads("squids-receive", receives, loop, limits.wait + RECEIVE_MARGIN)
        self._settles = CallThreads("squids-settle", MAX_CALLS, loop, patience(limits.visibility))

    @property
    def receiving(self) -> bool:
        """Whether a thread is still inside a receive."""
        return self._receives.busy > 0

    def receive(self, poll: Poll, on_answer: Callable[[Poll, Answer[list[Delivery]]], None]) -> None:
        """Start a receive; `on_answer` runs in the loop."""
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
        """Allow up to `receives` concurrent receives from now on; never lowers the limit."""
        self._receives.allow(receives)

    def close(self) -> None:
        """Let threads exit once they are free."""
        self._receives.close()
        self._settles.close()

    def _renewing(self, call: Callable[[], T]) -> T:
        """Call, in a thread. Look up expired or unknown credentials again for the next call."""
        try:
            return call()
        except Exception as error:
            if classify(error).kind is TroubleKind.EXPIRED:
                self._client.renew()
            raise
