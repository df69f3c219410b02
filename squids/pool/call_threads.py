"""Threads that do nothing but call SQS, and hand each answer to the loop.

They are daemons: a thread inside a receive cannot be stopped, and must not keep a consumer
that has to leave. What to call, and what an answer means, is decided elsewhere.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What a call brought: a value or an error, and when (monotonic seconds)."""

    value: T | None
    error: Exception | None
    sent_at: float
    answered_at: float

    @property
    def seconds(self) -> float:
        return self.answered_at - self.sent_at


class CallThreads:
    """A few named threads with one queue of calls."""

    def __init__(self, name: str, count: int, loop: asyncio.AbstractEventLoop) -> None:
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._loop = loop
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True)
            for number in range(1, count + 1)
        ]
        self.busy = 0
        for thread in self._threads:
            thread.start()

    def submit(self, call: Callable[[], T], on_answer: Callable[[Answer[T]], None]) -> None:
        """Have a thread call; `on_answer` runs in the loop. Call this from the loop only."""
        self.busy += 1

        def answered(answer: Answer[T]) -> None:
            self.busy -= 1
            on_answer(answer)

        def work() -> None:
            sent_at = time.monotonic()
            try:
                answer: Answer[T] = Answer(call(), None, sent_at, time.monotonic())
            except Exception as error:
                answer = Answer(None, error, sent_at, time.monotonic())
            try:
                self._loop.call_soon_threadsafe(answered, answer)
            except RuntimeError:
                pass  # The loop is closed: the consumer has left, and nobody wants the answer.

        self._calls.put(work)

    def close(self) -> None:
        """Threads leave once they are free."""
        for _ in self._threads:
            self._calls.put(None)

    def _work(self) -> None:
        while (work := self._calls.get()) is not None:
            work()
