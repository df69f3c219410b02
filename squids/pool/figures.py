"""What a pooled consumer tells of itself: plain values, as a supervisor's `status` shows them."""

from __future__ import annotations

from collections import deque

from squids.pool.inflight import InFlight
from squids.pool.reporter import quantiles
from squids.pool.workers import Workers
from squids.process.figures import ConsumerFigures, RunningJob

MOST_RUNNING = 20
"""Running jobs told one by one."""


def figures(inflight: InFlight, workers: Workers, times: deque[float]) -> ConsumerFigures:
    """`times`: seconds that the last tasks took."""
    running: list[RunningJob] = []
    busy = 0
    for handle in workers.handles:
        started = handle.started_job()
        if started is None:
            continue
        busy += 1
        message = inflight.roster.message_of_job(handle.child, started[0])
        if message is not None and len(running) < MOST_RUNNING:
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
    )
