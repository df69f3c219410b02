"""What a pooled consumer tells of itself: plain values, as a supervisor's `status` shows them."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection

from squids.bounds import NAME, cut
from squids.errors import BadMessage
from squids.pool.inflight import InFlight
from squids.pool.message import HeldMessage
from squids.pool.reporter import quantiles
from squids.pool.worker_handle import WorkerHandle
from squids.process.figures import ConsumerFigures, RunningJob
from squids.wire import decode

MOST_RUNNING = 20
"""Running jobs told one by one."""

LARGE = 16 * 1024
"""Characters of a body above which the task's name is not worth the parsing."""


def figures(
    inflight: InFlight,
    workers: Collection[WorkerHandle],
    ready: Collection[int],
    wanted: int,
    times: deque[float],
) -> ConsumerFigures:
    """`times`: seconds that the last tasks took; `wanted`: workers."""
    running: list[RunningJob] = []
    busy = 0
    for handle in workers:
        started = handle.started_job()
        if started is None:
            continue
        busy += 1
        message = inflight.roster.message_of_job(handle.child, started[0])
        if message is not None and len(running) < MOST_RUNNING:
            job = RunningJob(handle.slot, handle.pid, task_of(message), message.message_id, started[1])
            running.append(job)
    median, high = quantiles(times)
    return ConsumerFigures(
        paused=inflight.paused,
        workers=wanted,
        ready=len(ready),
        busy=busy,
        held=inflight.held,
        done=inflight.done,
        failed=inflight.failed,
        p50=median,
        p95=high,
        running=tuple(running),
        pids=tuple(handle.pid for handle in workers if handle.pid is not None),
    )


def task_of(message: HeldMessage) -> str | None:
    """The task that a message calls, if it says so, and shortly."""
    if len(message.body) > LARGE:
        return None
    try:
        return cut(decode(message.body).task, NAME)
    except BadMessage:
        return None
