"""Threads that delete and change visibility. Which messages, and when, is decided in `batches`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from squids.pool.batches import Batch, Operation
from squids.pool.call_threads import Answer, CallThreads
from squids.pool.receiver import renew_if_expired
from squids.sqs import BatchAnswer, QueueClient


def patience(visibility: int) -> float:
    """Seconds that a delete or a visibility change may take: short enough for a beat that has to wait for two
    calls that hang."""
    return min(LONGEST_CALL, max(SHORTEST_CALL, visibility / 4))


SHORTEST_CALL, LONGEST_CALL = 3.0, 20.0


class Settler:
    """Sends batches for one queue, in threads of its own."""

    def __init__(
        self, client: QueueClient, loop: asyncio.AbstractEventLoop, *, threads: int, visibility: int
    ) -> None:
        self._client = client
        self._threads = CallThreads("squids-settle", threads, loop, patience(visibility))

    def call(self, batch: Batch, on_answer: Callable[[Batch, Answer[BatchAnswer]], None]) -> None:
        self._threads.submit(lambda: self._call(batch), lambda answer: on_answer(batch, answer))

    def close(self) -> None:
        self._threads.close()

    def _call(self, batch: Batch) -> BatchAnswer:
        try:
            if batch.operation is Operation.DELETE:
                return self._client.delete([(entry.message_id, entry.receipt) for entry in batch.entries])
            return self._client.change_visibility(
                [(entry.message_id, entry.receipt, entry.seconds) for entry in batch.entries]
            )
        except Exception as error:
            renew_if_expired(self._client, error)
            raise
