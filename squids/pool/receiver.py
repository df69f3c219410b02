"""Threads that receive. When to receive, and how many, is decided in `prefetch` and `polls`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from squids.pool.call_threads import Answer, CallThreads
from squids.pool.polls import Poll
from squids.received import Received
from squids.sqs import QueueClient, TroubleKind, classify

RECEIVE_MARGIN = 20.0
"""Seconds beyond its wait within which a receive is answered: connecting and the answer's own time."""


class Receiver:
    """Receives from one queue, in threads of its own: a long poll delays no delete."""

    def __init__(
        self,
        client: QueueClient,
        loop: asyncio.AbstractEventLoop,
        *,
        threads: int,
        wait_seconds: int,
        visibility: int,
    ) -> None:
        self._client = client
        self._wait_seconds = wait_seconds
        self._visibility = visibility
        self._threads = CallThreads("squids-receive", threads, loop, wait_seconds + RECEIVE_MARGIN)

    @property
    def busy(self) -> bool:
        return self._threads.busy > 0

    def receive(self, poll: Poll, on_answer: Callable[[Poll, Answer[list[Received]]], None]) -> None:
        wait = self._wait_seconds if poll.long else 0
        self._threads.submit(lambda: self._call(poll, wait), lambda answer: on_answer(poll, answer))

    def allow(self, threads: int) -> None:
        """Up to so many receives at once from now on, if that is more."""
        self._threads.allow(threads)

    def close(self) -> None:
        self._threads.close()

    def _call(self, poll: Poll, wait: int) -> list[Received]:
        try:
            return self._client.receive(poll.count, wait, self._visibility, poll.attempt_id)
        except Exception as error:
            renew_if_expired(self._client, error)
            raise


def renew_if_expired(client: QueueClient, error: Exception) -> None:
    """Expired or unknown credentials are looked up anew for the next call."""
    if classify(error).kind is TroubleKind.EXPIRED:
        client.renew()
