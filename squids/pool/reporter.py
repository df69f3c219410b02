"""Tells the consumer's owner how it is: figures each second while something happens, a sign of life
each five or sooner when nothing does, and neither when the receive loop stands still.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from squids.process.figures import ConsumerFigures
from squids.process.liveness import Liveness

FIGURES_EVERY = 1.0
"""Seconds."""

TIMES_KEPT = 500
"""Task times from which the quantiles are taken."""


class Reporter:
    """`figures` makes the values to be told; `advances` says whether the receive loop does."""

    def __init__(
        self,
        liveness: Liveness,
        figures: Callable[[], ConsumerFigures],
        advances: Callable[[float], bool],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._liveness = liveness
        self._figures = figures
        self._advances = advances
        self._loop = loop
        self._told: ConsumerFigures | None = None
        self._told_at = 0.0
        self._alive_every = liveness.alive_every
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self.times: deque[float] = deque(maxlen=TIMES_KEPT)
        """Seconds that the last tasks took."""

    def start(self) -> None:
        if self._liveness.listens:
            self._tick()

    def nudge(self) -> None:
        """Something happens: tell of it soon, at most once a second."""
        if self._timer is not None and self._timer_at > self._told_at + FIGURES_EVERY:
            self._set_timer(max(time.monotonic(), self._told_at + FIGURES_EVERY))

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        now = time.monotonic()
        values = self._figures()
        changed = values != self._told
        if self._advances(now):
            if changed:
                self._liveness.figures(values)
                self._told, self._told_at = values, now
            elif now - self._told_at >= self._alive_every - 0.1:
                self._liveness.alive()
                self._told_at = now
        self._set_timer(now + FIGURES_EVERY if changed else self._told_at + self._alive_every)

    def _set_timer(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = max(at, time.monotonic() + 0.01)
        self._timer = self._loop.call_at(self._timer_at, self._tick)


def quantiles(times: deque[float]) -> tuple[float | None, float | None]:
    """The median and the 95th of a hundred; None of nothing."""
    if not times:
        return None, None
    ordered = sorted(times)
    return ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 95 // 100)]
