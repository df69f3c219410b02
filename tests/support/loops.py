"""A loop for one test: conditions are waited for within it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")


def run(work: Coroutine[Any, Any, R], seconds: float = 30.0) -> R:
    """What it returns. TimeoutError if that takes longer than so many seconds."""
    return asyncio.run(asyncio.wait_for(work, seconds))


async def until(condition: Callable[[], T]) -> T:
    """The first true answer of `condition`. How long that may take is up to `run`."""
    while not (answer := condition()):
        await asyncio.sleep(0.002)
    return answer
