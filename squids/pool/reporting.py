"""Decides when a consumer reports: figures each second while they change, otherwise signs of life.

Signs of life come every five seconds or sooner. Nothing is reported while the receive loop is stuck. The
figures are plain values, as a supervisor's `status` shows them.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from squids.pool.inflight import InFlight
from squids.pool.worker_set import WorkerSet
from squids.process.figures import ConsumerFigures, RunningJob
from squids.process.liveness import Liveness

FIGURES_EVERY = 1.0
"""Minimum seconds between two reports of changed figures."""

MAX_RUNNING = 20
"""Maximum running jobs that are listed."""

TIMES_KEPT = 500
"""Task times from which the quantiles are computed."""


class Reporter:
    """`figures` returns the values to report; `advances` says whether the receive loop is alive."""

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
        """Something happened: report soon, at most once per second."""
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
        due = self._told_at + self._alive_every
        is_stuck = due <= now
        self._set_timer(now + FIGURES_EVERY if changed or is_stuck else due)

    def _set_timer(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = max(at, time.monotonic() + 0.01)
        self._timer = self._loop.call_at(self._timer_at, self._tick)


def quantiles(times: deque[float]) -> tuple[float | None, float | None]:
    """Return the median and the 95th percentile; None without times."""
    if not times:
        return None, None
    ordered = sorted(times)
    return ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 95 // 100)]


def figures(
    inflight: InFlight, workers: WorkerSet, times: deque[float], warnings: tuple[str, ...] = ()
) -> ConsumerFigures:
    """Return the current figures. `times`: seconds that the last tasks took."""
    running: list[RunningJob] = []
    busy = 0
    for handle in workers.handles:
        started = handle.started_job()
        if started is None:
            continue
        busy += 1
        message = inflight.roster.message_of_job(handle.child, started[0])
        if message is not None and len(running) < MAX_RUNNING:
            job = RunningJob(handle.slot, handle.pid, message.task, message.message_id, started[1])
            running.append(job)
    median, high = quantiles(times)
    return ConsumerFigures(
        paused=inflight.paused,
        workers=workers.wanted,
        ready=len(workers.ready),
        busy=busy,
        held=inflight.held,
        done=inflight.done,
        failed=inflight.failed,
        p50=median,
        p95=high,
        running=tuple(running),
        pids=tuple(handle.pid for handle in workers.handles if handle.pid is not None),
        warnings=warnings,
    )
