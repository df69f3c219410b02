"""Runs a blocking call for a coroutine.

The only module of the library that imports asyncio: it is imported when a coroutine sends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

R = TypeVar("R")


async def in_thread(call: Callable[[], R]) -> R:
    """Return the result of `call`, made in a thread of asyncio's default executor, with this context.

    If the waiting coroutine is cancelled, the call continues.
    """
    return await asyncio.to_thread(call)  # noqa: TID251 # the loop and its end are the application's
