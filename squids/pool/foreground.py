"""A consumer without worker processes (`--workers 0`), for debuggers: tasks run in the main thread.

The consumer is the same as ever, in a thread of its own: it receives one message at a time, and extends it
while someone looks at it in a debugger. The main thread has the terminal and the signals. A first signal lets
the task end; at the prompt of a debugger, which may wait for ever, it ends the debugger. A second one, or the
end of the shutdown timeout, interrupts the task. What was interrupted goes back to the queue at once.
"""

from __future__ import annotations

import asyncio
import bdb
import gc
import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Collection, Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

from squids.delivery import Delivery
from squids.execute import Outcome, execute
from squids.exit_codes import ExitCode
from squids.job import JobEnd
from squids.pool.consumer_main import (
    consume,
    ignore_stops,
    signals_at_the_end,
    terminal_closed,
    with_warnings,
)
from squids.pool.message import HeldMessage
from squids.pool.pooled_consumer import PooledConsumer
from squids.pool.report_thread import ReportThread
from squids.pool.roster import JobResult
from squids.pool.settings import PoolSettings
from squids.pool.start_hooks import run_start_hooks
from squids.process.child import exit_now
from squids.process.liveness import ToSystemd
from squids.process.sd_notify import Notifier
from squids.process.signals import Hangup, meaning_of_hangup
from squids.process.stops import StopBy

if TYPE_CHECKING:
    from squids.app import App
    from squids.options import ConsumerOptions
    from squids.sqs import QueueClient

LOOK_SECONDS = 0.5
"""How often an idle main thread looks for signals: one that comes just before it waits does not wake it."""

UNWIND_SECONDS = 5.0
"""How long an interrupted task may take to end, before the process exits without it."""


class ForegroundWorker:
    """The one worker, which is the main thread. `serve` runs there; the consumer is in another thread."""

    child = slot = wanted = 1
    failure = ""

    def __init__(self, app: App, queue_name: str) -> None:
        self._app = app
        self._queue_name = queue_name
        self._jobs: queue.SimpleQueue[HeldMessage | None] = queue.SimpleQueue()
        self._running: tuple[int, float] | None = None
        self._interrupting = False
        self.ready: set[int] = set()
        self.pid = os.getpid()
        self.idle = threading.Event()

    # For the consumer, in its thread: a `worker_set.WorkerSet` of this one worker.

    def attach(
        self, settings: PoolSettings, owner: PooledConsumer, loop: asyncio.AbstractEventLoop
    ) -> ForegroundWorker:
        """Make it the worker of this consumer."""
        self._owner = owner
        self._loop = loop
        return self

    trouble: str | None = None

    @property
    def handles(self) -> Collection[ForegroundWorker]:
        return (self,)

    def __getitem__(self, child: int) -> ForegroundWorker:
        return self

    def __contains__(self, child: int) -> bool:
        return child == self.child

    def start(self) -> None:
        self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        self.ready.add(self.child)
        self._owner.worker_ready(self)
        self._owner.decide()

    def resize(self, wanted: int) -> list[int]:
        return []  # There is one main thread.

    def fill(self) -> None:
        """Do nothing: it is there."""

    def assign(self, child: int, messages: Sequence[HeldMessage]) -> None:
        for message in messages:
            self._jobs.put(message)

    def recall(self, child: int) -> None:
        """Do nothing: it is handed one message at a time."""

    def dismiss(self, child: int) -> None:
        """Do nothing: it ends with its consumer."""

    def kill(self, handle: ForegroundWorker) -> None:
        """Interrupt the task. Not by SIGINT, for which a debugger may have a handler of its own."""
        self._interrupting = True
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGTERM)

    async def close(self, within: float) -> None:
        """Do nothing: `finish` follows, also if the consumer failed."""

    def cut_short(self) -> None:
        """Do nothing: there is nothing to wait for."""

    def finish(self) -> None:
        """Let `serve` return."""
        self._jobs.put(None)

    def started_job(self) -> tuple[int, float] | None:
        return self._running

    # In the main thread.

    def serve(self, after_job: Callable[[], None]) -> None:
        """Run jobs until the consumer is done. `after_job`: called after each."""
        while True:
            try:
                self.idle.set()
                message = self._jobs.get(timeout=LOOK_SECONDS)
                if message is None:
                    return
                self.idle.clear()
                self._run(message)
                after_job()
            except queue.Empty:
                pass
            except bdb.BdbQuit:  # A debugger was still there after its task.
                self._loop.call_soon_threadsafe(self._quit, "the debugger was quit")

    def _run(self, message: HeldMessage) -> None:
        started = time.monotonic()
        outcome: Outcome | None = None
        try:
            try:
                self._running = message.number, started
                outcome = execute(
                    Delivery(
                        message.message_id,
                        "",
                        message.body,
                        message.receive_count,
                        message.sent_at,
                        message.group,
                    ),
                    self._queue_name,
                    self._app.registry.by_any_name,
                    self._app.hooks,
                    self._app.json,
                )
            finally:
                self._running = None
        except KeyboardInterrupt:
            pass
        seconds = time.monotonic() - started
        if outcome is None or isinstance(outcome.exception, bdb.BdbQuit):
            quits = "the task was interrupted" if outcome is None else "the debugger was quit"
            result = JobResult(message.number, JobEnd.UNSTARTED)
        else:
            quits = ""
            error, traceback = outcome.error or "", outcome.traceback or ""
            result = JobResult(message.number, outcome.end, seconds, outcome.task, error, traceback)
        self._loop.call_soon_threadsafe(self._ended, result, quits)

    def _ended(self, result: JobResult, quits: str) -> None:
        if quits:  # First: else it would be handed out again.
            self._quit(quits)
        self._owner.jobs_ended(self, [result])
        self._owner.decide()

    def _quit(self, reason: str) -> None:
        self._owner.stop(reason, by=StopBy.ITSELF)

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """Stop the consumer; interrupt the task if that is what it wants, or a debugger waits for input."""
        if self._interrupting:
            if self._running is not None:
                raise KeyboardInterrupt
            return
        self._loop.call_soon_threadsafe(self._owner.stop, signal.Signals(number).name)
        if self._running is not None and in_debugger(frame):
            raise bdb.BdbQuit

    def on_hangup(self, number: int, frame: FrameType | None) -> None:
        """The terminal was closed, so no one is left at a debugger."""
        self._loop.call_soon_threadsafe(terminal_closed, self._owner)
        if self._running is not None and in_debugger(frame):
            raise bdb.BdbQuit

    def on_report_request(self, number: int, frame: FrameType | None) -> None:
        """Log one line about the state."""
        self._loop.call_soon_threadsafe(self._owner.report_state)


def in_debugger(frame: FrameType | None) -> bool:
    """Whether this frame is inside pdb or another debugger that is built on bdb."""
    while frame is not None:
        if isinstance(frame.f_locals.get("self"), bdb.Bdb):
            return True
        frame = frame.f_back
    return False


def run(
    app: App,
    options: ConsumerOptions,
    settings: PoolSettings,
    client: QueueClient,
    *,
    notifier: Notifier | None = None,
) -> ExitCode:
    """Consume in this process until told to stop. Call in the main thread; exits the process if it must.

    This process is the consumer's and the worker's, so the hooks of both run.
    """
    code = run_start_hooks("consumer_start", "consumer", app.hooks.run_consumer_start)
    if code:
        return code
    code = run_start_hooks("worker_start", "worker", app.hooks.run_worker_start)
    stuck = False
    reports = ReportThread()
    if not code:
        reports.take_over()
        code, stuck = _serve(app, options, settings, client, notifier)
        app.hooks.run_worker_stop()
    app.hooks.run_consumer_stop()
    ignore_stops()
    if not reports.close():
        os._exit(code)  # As in `consumer_main`.
    if stuck:
        exit_now(code)
    return code


def _serve(
    app: App,
    options: ConsumerOptions,
    settings: PoolSettings,
    client: QueueClient,
    notifier: Notifier | None,
) -> tuple[ExitCode, bool]:
    """Return the exit code, and whether a thread is still inside a receive."""
    gc.set_threshold(20_000, 20, 20)
    settings = with_warnings(app, settings)
    worker = ForegroundWorker(app, settings.queue.name)
    made, handled = threading.Event(), threading.Event()
    ends: list[tuple[ExitCode, bool]] = []

    async def in_thread() -> tuple[ExitCode, bool]:
        consumer = PooledConsumer(settings, client, worker.attach)
        if notifier is not None:
            consumer.report_to(ToSystemd(notifier))
        made.set()
        handled.wait()
        code = await consume(app, consumer, settings, options)
        return code, consumer.stuck_in_receive

    def thread() -> None:
        end = ExitCode.FAILURE, False
        try:
            end = asyncio.run(in_thread())
        finally:
            made.set()
            ends.append(end)
            worker.finish()
            if not worker.idle.wait(UNWIND_SECONDS):
                exit_now(end[0])

    threading.Thread(target=thread, name="squids-consumer", daemon=True).start()
    made.wait()
    handlers = _handlers(worker)
    _take(handlers)
    handled.set()
    worker.serve(after_job=lambda: _take(handlers))
    end = ends[0] if ends else (ExitCode.FAILURE, False)
    at_the_end = signals_at_the_end(app, end[0])
    _take({number: at_the_end[number] for number in handlers})
    return end


def _handlers(worker: ForegroundWorker) -> dict[int, Any]:
    handlers: dict[int, Any] = {signal.SIGTERM: worker.on_signal, signal.SIGINT: worker.on_signal}
    if meaning_of_hangup() is Hangup.STOP:
        handlers[signal.SIGHUP] = worker.on_hangup
    handlers[signal.SIGUSR1] = worker.on_report_request
    return handlers


def _take(handlers: dict[int, Any]) -> None:
    """Handle signals, also if a task or its debugger has changed that."""
    for number, handler in handlers.items():
        if signal.getsignal(number) != handler:
            signal.signal(number, handler)
