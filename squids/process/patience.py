"""Waiting for others in a loop, without blaming them for what this process slept through."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

LATE = 1.0
"""Seconds. A timer that comes later than this says that this process was stopped, or the whole machine."""


def after(
    loop: asyncio.AbstractEventLoop, seconds: float, call: Callable[..., object], *args: object
) -> None:
    """Call after so many seconds, in which others had the time to act. If this process was stopped meanwhile,
    they may have been, too: the wait begins anew."""
    due = loop.time() + seconds

    def look() -> None:
        if loop.time() - due > LATE:
            after(loop, seconds, call, *args)
        else:
            call(*args)

    loop.call_at(due, look)
