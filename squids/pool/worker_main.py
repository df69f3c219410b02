"""The worker process: runs jobs from a socket, one after another.

`worker_handle` is the consumer's view of it. A worker does not use SQS: it is handed messages, runs their
tasks, and reports how each ended. It exits when its socket ends: it was dismissed, or its consumer is gone.

Before each job, its number is written to a page of memory shared with the consumer, which therefore knows the
running job whatever kills this process.
"""

from __future__ import annotations

import mmap
import os
import socket
import struct
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from squids.delivery import Delivery
from squids.execute import Outcome, execute, interrupted
from squids.job import JobEnd
from squids.pool.start_hooks import run_start_hooks
from squids.pool.worker_signals import StopSignals
from squids.process import log_setup
from squids.process.channel import BlockingChannel
from squids.process.no_terminal import explained
from squids.process.protocol import WORKER_READY, Assign, Recall, Results

if TYPE_CHECKING:
    from squids.app import App

MARK = struct.Struct("<qd")
"""The page: the number of the running job (0: none), and its start (monotonic seconds)."""

REPORT_AFTER = 0.001
"""Seconds that results of short jobs may wait for the next, to save frames and wake-ups."""


def run(app: App, channel_socket: socket.socket, descriptors: list[int], args: dict[str, Any]) -> int:
    """Run jobs until the consumer is gone. Returns the exit status."""
    log_setup.configure(args["log_level"], args["log_style"])
    log_setup.adopt_application(args["log_level"])
    page = mmap.mmap(descriptors[0], mmap.PAGESIZE)
    os.close(descriptors[0])
    channel = BlockingChannel(channel_socket)
    signals = StopSignals(channel.owner_lives)
    signals.ignore()
    code = run_start_hooks("worker_start", "worker", app.hooks.run_worker_start)
    if code:
        return code
    # Handlers of hooks and tasks are for their own time.
    worker = _Worker(app, channel, page, str(args["queue"]), after_jobs=signals.ignore)
    try:
        worker.run()
    except BrokenPipeError:
        pass  # The consumer is gone, and needs no results.
    finally:
        app.hooks.run_worker_stop()
    return 0


class _Worker:
    def __init__(
        self,
        app: App,
        channel: BlockingChannel,
        page: mmap.mmap,
        queue: str,
        after_jobs: Callable[[], None] = lambda: None,
    ) -> None:
        self._app = app
        self._tasks = app.registry.by_any_name
        self._channel = channel
        self._page = page
        self._queue = queue
        self._after_jobs = after_jobs
        self._results: list[list[Any]] = []
        self._oldest = 0.0

    def run(self) -> None:
        self._channel.send_encoded(WORKER_READY)
        while (frame := self._channel.receive()) is not None:
            if isinstance(frame, Assign):
                self._run_all(frame.jobs)

    def _run_all(self, jobs: list[list[Any]]) -> None:
        for position, job in enumerate(jobs):
            if position and self._channel.pending() and isinstance(self._channel.receive(), Recall | None):
                self._give_back(jobs[position:])
                break
            try:
                self._run_one(job)
            except KeyboardInterrupt as error:
                hooks, json = self._app.hooks, self._app.json
                outcome = interrupted(_delivery(job), self._queue, self._tasks, hooks, json, error)
                self._results.append(_result(job[0], outcome, 0.0))
                self._give_back(jobs[position + 1 :])
                self._report()
                raise
        self._after_jobs()
        self._report()

    def _give_back(self, jobs: list[list[Any]]) -> None:
        self._results.extend([number, JobEnd.UNSTARTED.value, 0.0] for number, *_ in jobs)

    def _run_one(self, job: list[Any]) -> None:
        number: int = job[0]
        started = time.monotonic()
        if self._results and started - self._oldest > REPORT_AFTER:
            self._report()
        MARK.pack_into(self._page, 0, number, started)
        outcome = execute(_delivery(job), self._queue, self._tasks, self._app.hooks, self._app.json)
        ended = time.monotonic()
        MARK.pack_into(self._page, 0, 0, 0.0)
        if not self._results:
            self._oldest = ended
        self._results.append(_result(number, outcome, ended - started))
        if outcome.end is not JobEnd.DONE:
            self._report()  # Its texts are bounded; those of many failures in one frame would not be.

    def _report(self) -> None:
        if self._results:
            results, self._results = self._results, []
            self._channel.send(Results(results))


def _delivery(job: list[Any]) -> Delivery:
    _, message_id, body, receive_count, sent_at, group = job
    return Delivery(message_id, "", body, receive_count, sent_at, group)


def _result(number: int, outcome: Outcome, seconds: float) -> list[Any]:
    result: list[Any] = [number, outcome.end.value, seconds]
    if outcome.end is not JobEnd.DONE:
        error = explained(outcome.error or "", outcome.exception)
        result += [outcome.task, error, outcome.traceback or ""]
    return result
