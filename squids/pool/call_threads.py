"""Threads that call SQS and pass each result to the loop.

They are daemons: a thread inside a receive cannot be stopped, and must not keep a consumer from exiting.
Callers decide what to call, and what a result means.

Each call has a deadline. botocore's read timeout applies to each read of a socket, so a server that sends a
byte per second would occupy a call forever. An overdue call counts as failed, and its connection is shut down
to free its thread.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Generic, TypeVar

from squids.errors import SquidsError

T = TypeVar("T")
Mailbox = SimpleQueue[Callable[[], None] | None]
"""The work of one thread. None ends it."""

MAX_STUCK = 8
"""Threads in overdue calls that are replaced by others. Beyond that, calls wait for a thread."""


class ThreadRefused(SquidsError):
    """The system refused a thread to call SQS with."""


class Overdue(SquidsError):
    """A call had no whole answer in time."""


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """The result of a call: a value or an error, with monotonic times."""

    value: T | None
    error: Exception | None
    sent_at: float
    answered_at: float

    @property
    def seconds(self) -> float:
        return self.answered_at - self.sent_at


@dataclass(eq=False, slots=True)
class _Running:
    """A call in progress. `fail` is None once it counts as failed."""

    by: float
    began: float
    fail: Callable[[Answer[object]], None] | None
    thread: int = 0


class CallThreads:
    """Up to `count` named threads, used from the loop only. `patience`: seconds that a call may take.

    A new thread starts when all others are busy. Of the idle ones, the last used is used next: its warm
    connection and caches save a tenth of a call's CPU.
    """

    def __init__(self, name: str, count: int, loop: asyncio.AbstractEventLoop, patience: float) -> None:
        self._name = name
        self._most = count
        self._loop = loop
        self._patience = patience
        self._started = 0
        self._mailboxes: list[Mailbox] = []
        self._idle: list[Mailbox] = []
        self._waiting: deque[Callable[[Mailbox], Callable[[], None]]] = deque()
        self._running: set[_Running] = set()
        self._stuck = 0
        self._timer: asyncio.TimerHandle | None = None
        self.busy = 0

    def submit(self, call: Callable[[], T], on_answer: Callable[[Answer[T]], None]) -> None:
        """Call in a thread; then run `on_answer` in the loop, exactly once.

        If the call needs a new thread and the system refuses it, the call has failed.
        """

        def work_of(mailbox: Mailbox) -> Callable[[], None]:
            running = self._begin(on_answer)
            return lambda: self._work(mailbox, running, call, on_answer)

        if not self._idle and not self._start_one() and not self._mailboxes:
            self._refuse(on_answer)
            return
        self.busy += 1
        self._waiting.append(work_of)
        self._hand_out()

    def _hand_out(self) -> None:
        while self._waiting and self._idle:
            mailbox = self._idle.pop()
            mailbox.put(self._waiting.popleft()(mailbox))

    def _start_one(self) -> bool:
        """Start a thread if there may be one more; return whether it started."""
        if len(self._mailboxes) - min(self._stuck, MAX_STUCK) >= self._most:
            return False
        try:
            self._start()
        except (RuntimeError, MemoryError, OSError):
            return False
        return True

    def allow(self, count: int) -> None:
        """Allow up to `count` threads from now on; never lowers the limit."""
        self._most = max(self._most, count)

    def close(self) -> None:
        """Let threads exit once they are free."""
        if self._timer is not None:
            self._timer.cancel()
        for mailbox in self._mailboxes:
            mailbox.put(None)

    def _start(self) -> None:
        mailbox: Mailbox = SimpleQueue()
        name = f"{self._name}-{self._started + 1}"
        threading.Thread(target=_run, args=(mailbox,), name=name, daemon=True).start()
        self._started += 1  # Only now: a thread that did not start takes no calls.
        self._mailboxes.append(mailbox)
        self._idle.append(mailbox)

    def _refuse(self, on_answer: Callable[[Answer[T]], None]) -> None:
        now = time.monotonic()
        text = "the system refused a thread to call SQS with: its limit of processes or memory is reached"
        # Deferred, because the caller is still deciding.
        self._loop.call_soon(on_answer, Answer(None, ThreadRefused(text), now, now))

    def _work(
        self,
        mailbox: Mailbox,
        running: _Running,
        call: Callable[[], T],
        on_answer: Callable[[Answer[T]], None],
    ) -> None:
        """Call in a thread, and pass the result to the loop."""
        running.thread = threading.get_ident()
        sent_at = time.monotonic()
        try:
            answer: Answer[T] = Answer(call(), None, sent_at, time.monotonic())
        except Exception as error:
            answer = Answer(None, error, sent_at, time.monotonic())
        try:
            self._loop.call_soon_threadsafe(self._answered, mailbox, running, answer, on_answer)
        except RuntimeError:
            pass  # The loop is closed: the consumer has exited.

    def _answered(
        self,
        mailbox: Mailbox,
        running: _Running,
        answer: Answer[T],
        on_answer: Callable[[Answer[T]], None],
    ) -> None:
        self.busy -= 1
        self._running.discard(running)
        wanted = running.fail is not None
        if not wanted:
            self._stuck -= 1
        self._idle.append(mailbox)
        self._hand_out()
        if wanted:
            on_answer(answer)

    # Overdue calls.

    def _begin(self, on_answer: Callable[[Answer[T]], None]) -> _Running:
        now = time.monotonic()
        running = _Running(now + self._patience, now, on_answer)  # type: ignore[arg-type]
        self._running.add(running)
        if self._timer is None:
            self._timer = self._loop.call_at(running.by, self._look)
        return running

    def _look(self) -> None:
        """Fail overdue calls. One timer serves all: most calls have returned by then."""
        self._timer = None
        now = time.monotonic()
        overdue = [running for running in self._running if running.by <= now]
        for running in overdue:
            fail, running.fail = running.fail, None
            if fail is not None:
                self._stuck += 1
                text = f"no whole answer within {self._patience:g} s"
                fail(Answer(None, Overdue(text), running.began, now))
            _cut_connection(running.thread)
        while self._waiting and self._start_one():
            self._hand_out()
        if self._running:
            # Also those that were cut: their thread may have opened another connection.
            at = min(max(running.by, now + self._patience / 4) for running in self._running)
            self._timer = self._loop.call_at(at, self._look)


def _run(mailbox: Mailbox) -> None:
    while (work := mailbox.get()) is not None:
        work()


def _cut_connection(thread: int) -> None:
    """Shut down the socket that a thread is using, if any, so that its call fails at once.

    It is found through the thread's frames: botocore and urllib3 have no API for this.
    https://docs.python.org/3/library/sys.html#sys._current_frames
    """
    frame = sys._current_frames().get(thread)
    while frame is not None:
        owner = frame.f_locals.get("self")
        sock = owner if isinstance(owner, socket.socket) else getattr(owner, "_sock", None)
        if isinstance(sock, socket.socket):
            try:
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # Also of TLS, without its closing handshake.
            except OSError:
                pass  # It was closed meanwhile.
            return
        frame = frame.f_back
