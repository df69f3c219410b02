"""Calls that may never return, as of a file system that is away, without anybody who has to wait for them.

`asyncio.to_thread` is no home for these: the loop waits for its threads when it closes, and the interpreter
when it exits. These threads are daemons, and a bounded number of them.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

MOST_THREADS = 32
"""At once. So many that do not return are a system that has a trouble of its own."""

_places = threading.BoundedSemaphore(MOST_THREADS)


class NoThread(Exception):
    """None can be started: why."""


async def in_thread(call: Callable[[], T]) -> T:
    """What a call comes to, made in a thread that holds up neither the loop's end nor the process's.

    Cancelled, the wait ends; the thread goes on. Raises NoThread.
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
            told: tuple[Callable[[Any], None], Any] = (answer.set_exception, error)
        else:
            told = (answer.set_result, result)
        finally:
            _places.release()
        try:
            loop.call_soon_threadsafe(settle, *told)
        except RuntimeError:
            pass  # The loop is closed.

    if not _places.acquire(blocking=False):
        raise NoThread(f"{MOST_THREADS} calls do not return: is a file system unavailable?")
    try:
        threading.Thread(target=run, name="squids-call", daemon=True).start()
    except RuntimeError as error:
        _places.release()
        raise NoThread(f"the system refused a thread: {error}") from error
    return await answer
