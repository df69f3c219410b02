"""Threads that do nothing but call SQS, and hand each answer to the loop.

They are daemons: a thread inside a receive cannot be stopped, and must not keep a consumer
that has to leave. What to call, and what an answer means, is decided elsewhere.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")
Mailbox = SimpleQueue[Callable[[], None] | None]
"""The work of one thread. None ends it."""


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
    """Up to so many named threads; used from the loop only.

    A thread starts when all others are busy, and of the idle ones the last used is used again: its
    connection and its caches are warm, which is a tenth of a call's CPU.
    """

    def __init__(self, name: str, count: int, loop: asyncio.AbstractEventLoop) -> None:
        self._name = name
        self._most = count
        self._loop = loop
        self._mailboxes: list[Mailbox] = []
        self._idle: list[Mailbox] = []
        self._waiting: deque[Callable[[Mailbox], Callable[[], None]]] = deque()
        self.busy = 0

    def submit(self, call: Callable[[], T], on_answer: Callable[[Answer[T]], None]) -> None:
        """Have a thread call; `on_answer` runs in the loop."""
        self.busy += 1

        def work_of(mailbox: Mailbox) -> Callable[[], None]:
            return lambda: self._work(mailbox, call, on_answer)

        if not self._idle and len(self._mailboxes) < self._most:
            self._start()
        if self._idle:
            mailbox = self._idle.pop()
            mailbox.put(work_of(mailbox))
        else:
            self._waiting.append(work_of)

    def allow(self, count: int) -> None:
        """Up to so many threads from now on, if that is more."""
        self._most = max(self._most, count)

    def close(self) -> None:
        """Threads leave once they are free."""
        for mailbox in self._mailboxes:
            mailbox.put(None)

    def _start(self) -> None:
        mailbox: Mailbox = SimpleQueue()
        self._mailboxes.append(mailbox)
        self._idle.append(mailbox)
        name = f"{self._name}-{len(self._mailboxes)}"
        threading.Thread(target=_run, args=(mailbox,), name=name, daemon=True).start()

    def _work(
        self,
        mailbox: Mailbox,
        call: Callable[[], T],
        on_answer: Callable[[Answer[T]], None],
    ) -> None:
        """In a thread: call, and hand the answer to the loop."""
        sent_at = time.monotonic()
        try:
            answer: Answer[T] = Answer(call(), None, sent_at, time.monotonic())
        except Exception as error:
            answer = Answer(None, error, sent_at, time.monotonic())
        try:
            self._loop.call_soon_threadsafe(self._answered, mailbox, answer, on_answer)
        except RuntimeError:
            pass  # The loop is closed: the consumer has left, and nobody wants the answer.

    def _answered(
        self,
        mailbox: Mailbox,
        answer: Answer[T],
        on_answer: Callable[[Answer[T]], None],
    ) -> None:
        self.busy -= 1
        if self._waiting:
            mailbox.put(self._waiting.popleft()(mailbox))
        else:
            self._idle.append(mailbox)
        on_answer(answer)


def _run(mailbox: Mailbox) -> None:
    while (work := mailbox.get()) is not None:
        work()
