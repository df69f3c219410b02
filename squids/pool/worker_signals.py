"""A worker's SIGINT and SIGTERM: both do nothing while its consumer lives, which decides about a stop.

So whatever signals each process of a tree (`pkill squids`, tree-kill, Supervisor's `killasgroup`) stops the
consumer, and the consumer drains. Without its consumer, a worker takes both as any program does.

Not SIG_IGN: a task's programs would inherit that across exec, and could not be stopped. Forks alone inherit
a handler, and it is undone there. It asks the kernel to restart interrupted calls, for compiled code that
does not expect EINTR; Python repeats its own calls (PEP 475).
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

from squids.process.signals import STOPS, restore


class StopSignals:
    """Call `ignore` in the main thread. `consumer_lives`: asked when a signal comes."""

    def __init__(self, consumer_lives: Callable[[], bool]) -> None:
        self._consumer_lives = consumer_lives
        self._pid = os.getpid()
        self._forks = threading.local()
        self._handler = self._on_signal  # One object, so that it can be recognized.
        os.register_at_fork(
            before=self._before_fork,
            after_in_parent=self._after_fork_in_parent,
            after_in_child=self._after_fork_in_child,
        )

    def ignore(self) -> None:
        """Ignore both from now on, also if a task has changed them."""
        for number in STOPS:
            if signal.getsignal(number) is not self._handler:
                signal.signal(number, self._handler)
                signal.siginterrupt(number, False)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() == self._pid and self._consumer_lives():
            return
        restore(number)
        signal.raise_signal(number)

    # A task may fork (multiprocessing), and send SIGTERM at once: blocked until the child can take it.

    def _before_fork(self) -> None:
        self._forks.mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)

    def _after_fork_in_parent(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._forks.mask)

    def _after_fork_in_child(self) -> None:
        if os.getpid() != self._pid:
            restore(*(number for number in STOPS if signal.getsignal(number) is self._handler))
        signal.pthread_sigmask(signal.SIG_SETMASK, self._forks.mask)
