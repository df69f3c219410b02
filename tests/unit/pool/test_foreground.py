"""The worker that is the main thread. Whole processes are in `tests/system/test_debugging.py`."""

from __future__ import annotations

import bdb
import os
import signal
import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest

import squids
from squids.job import JobEnd
from squids.pool.foreground import ForegroundWorker, in_debugger
from squids.pool.message import HeldMessage
from squids.pool.worker_set import WorkerSet
from tests.support.processes import call

app = squids.App("shop")


@app.task("emails")
def work(what: str) -> None:
    if what == "interrupt":
        raise KeyboardInterrupt
    if what == "quit":
        raise bdb.BdbQuit
    if what == "fail":
        raise ValueError("no")


class Owner:
    """A consumer that notes what it is told, in order."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def stop(self, reason: str, *, by: object = None) -> None:
        self.heard.append(("stop", reason))

    def jobs_ended(self, handle: object, results: list[Any]) -> None:
        self.heard += [(result.number, result.end) for result in results]

    def decide(self) -> None:
        """Nothing."""


def worker_of(owner: Owner) -> ForegroundWorker:
    """One whose loop is at once."""
    loop: Any = SimpleNamespace(call_soon_threadsafe=lambda call, *arguments: call(*arguments))
    worker = ForegroundWorker(app, "emails")
    consumer: Any = owner
    worker.attach(consumer, consumer, loop)
    return worker


def message(number: int, what: str) -> HeldMessage:
    body = call("work", what, module=__name__)
    return HeldMessage(f"m{number}", "r", body, 1, None, None, 0.0, 60.0, number=number)


def test_it_runs_jobs_one_after_another_and_signals_are_taken_again_after_each():
    owner = Owner()
    worker: WorkerSet = worker_of(owner)
    worker.assign(1, [message(1, "done"), message(2, "fail")])
    assert isinstance(worker, ForegroundWorker)
    worker.finish()
    taken: list[None] = []
    worker.serve(after_job=lambda: taken.append(None))
    assert owner.heard == [(1, JobEnd.DONE), (2, JobEnd.FAILED)]
    assert len(taken) == 2
    assert worker.idle.is_set()


@pytest.mark.parametrize(
    ("what", "reason"), [("interrupt", "the task was interrupted"), ("quit", "the debugger was quit")]
)
def test_what_was_interrupted_goes_back_and_the_consumer_stops_first(what, reason):
    """While it still runs, it would be handed the message again."""
    owner = Owner()
    worker = worker_of(owner)
    worker.assign(1, [message(1, what)])
    worker.finish()
    worker.serve(after_job=lambda: None)
    assert owner.heard == [("stop", reason), (1, JobEnd.UNSTARTED)]


def test_a_signal_stops_the_consumer_and_the_debugger_at_a_prompt_only():
    owner = Owner()
    worker = worker_of(owner)
    worker._running = (1, 0.0)
    worker.on_signal(signal.SIGINT, sys._getframe())
    assert owner.heard == [("stop", "SIGINT")]

    class Prompt(bdb.Bdb):
        def interaction(self) -> None:
            worker.on_signal(signal.SIGTERM, sys._getframe())

    with pytest.raises(bdb.BdbQuit):
        Prompt().interaction()
    assert owner.heard == [("stop", "SIGINT"), ("stop", "SIGTERM")]
    assert not in_debugger(sys._getframe())


def test_a_kill_interrupts_a_job_and_nothing_else():
    """By a signal to the main thread, which may be inside a call that blocks."""
    owner = Owner()
    worker = worker_of(owner)
    before = signal.signal(signal.SIGTERM, worker.on_signal)
    try:
        assert threading.current_thread() is threading.main_thread()
        worker.kill(worker)
        worker._running = (1, 0.0)
        with pytest.raises(KeyboardInterrupt):
            worker.kill(worker)
    finally:
        worker._running = None
        signal.signal(signal.SIGTERM, before)
    assert owner.heard == []
    assert worker.pid == os.getpid()
