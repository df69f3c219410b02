"""Timeouts for other processes that exclude times when this process was suspended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

LATE = 1.0
"""In seconds. A timer that is later means that this process, or the whole machine, was suspended."""


def after(
    loop: asyncio.AbstractEventLoop, seconds: float, call: Callable[..., object], *args: object
) -> None:
    """Call after `seconds` in which others had time to act.

    If this process was suspended meanwhile, they may have been too: the wait starts again.
    """
    due = loop.time() + seconds

    def look() -> None:
        if loop.time() - due > LATE:
            after(loop, seconds, call, *args)
        else:
            call(*args)

    loop.call_at(due, look)
