"""Waits for conditions, which are checked only when something has changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Waiters:
    """All waiters, each with its own condition."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def look(self) -> None:
        """Something has changed: check all conditions."""
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def until(self, condition: Callable[[], bool], timeout: float | None = None) -> bool:
        """Wait until the condition holds; return False if it does not within `timeout` seconds."""
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        while not condition():
            left = None if deadline is None else deadline - loop.time()
            if left is not None and left <= 0:
                return False
            future: asyncio.Future[None] = loop.create_future()
            self._waiting.add(future)
            try:
                await asyncio.wait_for(future, left)
            except TimeoutError:
                return condition()
            finally:
                self._waiting.discard(future)
        return True

    async def each(
        self, items: Iterable[T], decide: Callable[[T], R | None], timeout: float | None = None
    ) -> AsyncIterator[tuple[T, R | None]]:
        """Yield each item with the result of `decide`, once that is not None.

        After `timeout` seconds, yield the rest with None.
        """
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        left = list(items)
        found: list[tuple[T, R]] = []

        def look() -> bool:
            found[:] = [(item, said) for item in left if (said := decide(item)) is not None]
            return bool(found)

        while left:
            if not await self.until(look, None if deadline is None else deadline - loop.time()):
                for item in left:
                    yield item, None
                return
            for item, said in found:
                left.remove(item)
                yield item, said
