"""Runs calls that may never return, such as to a file system that hangs, without blocking an exit.

With `asyncio.to_thread`, the loop waits for its threads when it closes, and so does the interpreter. These
threads are daemons, and their number is bounded.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

MAX_THREADS = 32
"""At most this many at once: if all hang, the system has a problem of its own."""

_places = threading.BoundedSemaphore(MAX_THREADS)


class NoThread(Exception):
    """No thread can be started."""


async def in_thread(call: Callable[[], T]) -> T:
    """Run a call in a thread that delays neither the end of the loop nor of the process; return its result.

    Cancelling ends the wait, not the thread. Raises NoThread.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def settle(set_it: Callable[[Any], None], what: Any) -> None:
        if not answer.done():
            set_it(what)

    def run() -> None:
        try:
            result = call()
        except Exception as error:
            outcome: tuple[Callable[[Any], None], Any] = (answer.set_exception, error)
        else:
            outcome = (answer.set_result, result)
        finally:
            _places.release()
        try:
            loop.call_soon_threadsafe(settle, *outcome)
        except RuntimeError:
            pass  # The loop is closed.

    if not _places.acquire(blocking=False):
        raise NoThread(f"{MAX_THREADS} calls do not return: is a file system unavailable?")
    try:
        threading.Thread(target=run, name="squids-call", daemon=True).start()
    except RuntimeError as error:
        _places.release()
        raise NoThread(f"the system refused a thread: {error}") from error
    return await answer
