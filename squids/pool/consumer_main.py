"""Starts a consumer process: from options and an imported app to an exit code.

The order matters: a process with threads must not fork, so the fork server is forked first; the loop, the
client and its threads follow. `run_supervised` starts a consumer of a supervisor, which already has a fork
server.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from squids.errors import ConfigurationError
from squids.exit_codes import ExitCode
from squids.options import ConsumerOptions
from squids.pool import credential_log, log_events
from squids.pool.inflight import Phase
from squids.pool.local_queue import create_if_renamed
from squids.pool.pooled_consumer import PooledConsumer
from squids.pool.preload import tell_ports
from squids.pool.report_thread import ReportThread
from squids.pool.settings import Limits, PoolSettings
from squids.pool.start_hooks import run_start_hooks
from squids.pool.workers import EXIT_SECONDS, Workers
from squids.process import log_setup, ports
from squids.process.child import exit_now
from squids.process.cpus import find_cpus
from squids.process.figures import ImportFacts
from squids.process.forkable import Unforkable
from squids.process.imported_files import files_imported
from squids.process.liveness import ToOwner, ToSystemd
from squids.process.loop_channel import LoopChannel
from squids.process.protocol import Drain, Follow, Pause, Scale
from squids.process.sd_notify import Notifier
from squids.process.sharing import share_what_is_alive
from squids.process.signals import STOPS, Hangup, meaning_of_hangup
from squids.process.stops import StopBy
from squids.process.zygote_handle import ZygoteHandle
from squids.queues import QueueRef
from squids.registry import no_task_for
from squids.reports import log
from squids.retry import RetryPolicy
from squids.sqs import TroubleKind, classify

if TYPE_CHECKING:
    from squids.app import App
    from squids.sqs import QueueClient

PRELOAD_ENTRY = "squids.pool.preload:load"


def settings_of(options: ConsumerOptions, queue: QueueRef) -> PoolSettings:
    """Convert the options, with computed defaults."""
    in_process = options.workers == 0
    found = None if options.workers or in_process else find_cpus()
    workers = found.count if found is not None else options.workers or 1
    retry = RetryPolicy(
        first=options.retry_delay, maximum=options.retry_max_delay, enabled=not options.no_retry_delay
    )
    # Two empty long polls show that a queue is empty; short polls do not.
    wait = max(1, options.polling_wait_time) if options.exit_when_empty else options.polling_wait_time
    return PoolSettings(
        queue=queue,
        limits=Limits(
            workers=workers,
            prefetch=1 if in_process else options.prefetch or 2 * workers,
            visibility=options.visibility_timeout,
            shutdown_timeout=options.shutdown_timeout,
            exit_when_empty=options.exit_when_empty,
            wait=wait,
        ),
        retry=retry,
        workers_from=found.source if found is not None else "",
    )


def with_warnings(app: App, settings: PoolSettings, *others: str) -> PoolSettings:
    """Return the settings with what may be wrong with the app, and `others`, which the log has already."""
    no_task = no_task_for(settings.queue.name, app.tasks)
    if no_task is None:
        return replace(settings, warnings=others)
    log_events.no_task(no_task)
    return replace(settings, warnings=(*others, no_task))


def client_of(app: App, settings: PoolSettings) -> QueueClient:
    """Return the client of the consumer's main process."""
    return app.sqs.queue_client(
        settings.queue,
        wait_seconds=settings.limits.wait,
        connections=settings.limits.prefetch // 10 + 5,
    )


def start_zygote(
    app: App,
    options: ConsumerOptions,
    settings: PoolSettings,
    client: QueueClient,
    unforkable: Unforkable,
    log_config: str | None = None,
) -> ZygoteHandle:
    """Fork the fork server from this process; if that is unsafe, start it as a fresh interpreter.

    `log_config`: what its children apply before they import the app, if they do.
    """
    title = f"squids: {settings.queue.name} zygote"
    forkable = sys.platform == "linux" and options.preload and not unforkable
    if unforkable and options.preload:
        log.warning(
            "importing the app started %s, which no fork may cross: "
            "each worker starts in a fresh interpreter instead",
            unforkable,
            extra={"action": "not_forkable"},
        )
    if forkable:
        # The client is shared too, if making it looks up no credentials.
        if app.sqs.has_static_credentials():
            _warm_up(client)
        share_what_is_alive()
        return ZygoteHandle.fork(app, title)
    arguments = {
        "app": options.app,
        "logging": log_config,
        "directory": os.getcwd(),
        "shares_ports": True,
    }
    return ZygoteHandle.exec(PRELOAD_ENTRY, arguments, title)


def _warm_up(client: QueueClient) -> None:
    """Make the client, and go through its calls. Raises ConfigurationError if none can be made for good."""
    try:
        client.warm_up()
    except Exception as error:
        trouble = classify(error)
        if trouble.kind is TroubleKind.CONFIG:
            raise ConfigurationError(trouble.text) from error
        # Else the consumer meets it, and says so.


def run(
    app: App,
    options: ConsumerOptions,
    settings: PoolSettings,
    client: QueueClient,
    zygote: ZygoteHandle,
    owner: LoopChannel | None = None,
    notifier: Notifier | None = None,
    facts: ImportFacts | None = None,
) -> ExitCode:
    """Consume until told to stop. Exits the process itself if a receive cannot be waited for.

    `owner`: the socket to a supervisor, which sends commands and gets reports, with `facts` of this process's
    own import. `notifier`: systemd, which gets reports.
    """
    settings = with_warnings(app, settings, *map(ports.shared, ports.opened))
    # Messages form no reference cycles, so frequent collections would cost more CPU than they free memory.
    gc.set_threshold(20_000, 20, 20)
    credential_log.shorten()
    code = run_start_hooks("consumer_start", "consumer", app.hooks.run_consumer_start)
    if code:
        zygote.close()
        if zygote.wait(EXIT_SECONDS) is None:
            zygote.kill_server()
        return code
    reports = ReportThread()
    reports.take_over()
    code, stuck_in_receive = asyncio.run(_run(app, options, settings, client, zygote, owner, notifier, facts))
    app.hooks.run_consumer_stop()  # Here, where it may run a loop of its own.
    ignore_stops()
    if not reports.close():
        os._exit(code)  # A handler of the application hangs: logging's exit handler would wait for it.
    if stuck_in_receive:
        exit_now(code)
    return code


def ignore_stops() -> None:
    """Ignore signals to stop: at its end, the interpreter would restore the default of one with a handler."""
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)


def signals_at_the_end(app: App, code: ExitCode) -> dict[int, Any]:
    """Return what signals do once all is settled: nothing, so that a late one does not change how it ended.

    While hooks run, the second signal to stop exits at once.
    """
    signals = 0

    def heard(number: int, _: object) -> None:
        nonlocal signals
        signals += 1
        if signals > 1:
            exit_now(code)
        text = "%s: consumer_stop hooks are running; the next signal does not wait for them"
        log.info(text, signal.Signals(number).name, extra={"action": "stopping"})

    stops = heard if app.hooks.consumer_stop else signal.SIG_IGN
    return {
        signal.SIGHUP: signal.SIG_IGN,
        signal.SIGUSR1: signal.SIG_IGN,
        **dict.fromkeys(STOPS, stops),
    }


async def _run(
    app: App,
    options: ConsumerOptions,
    settings: PoolSettings,
    client: QueueClient,
    zygote: ZygoteHandle,
    owner: LoopChannel | None,
    notifier: Notifier | None,
    facts: ImportFacts | None,
) -> tuple[ExitCode, bool]:
    """Return the exit code, and whether a thread is still inside a receive."""
    consumer = PooledConsumer(settings, client, partial(Workers, zygote))
    loop = asyncio.get_running_loop()
    if owner is not None:
        serve_supervisor(consumer, owner, loop, facts)
    elif notifier is not None:
        consumer.report_to(ToSystemd(notifier))
    for number in STOPS:
        loop.add_signal_handler(number, consumer.stop, signal.Signals(number).name)
    if owner is None and meaning_of_hangup() is Hangup.STOP:
        loop.add_signal_handler(signal.SIGHUP, terminal_closed, consumer)
    loop.add_signal_handler(signal.SIGUSR1, consumer.report_state)
    code = await consume(app, consumer, settings, options)
    for late, handler in signals_at_the_end(app, code).items():
        if loop.remove_signal_handler(late):
            signal.signal(late, handler)
    if consumer.stuck_in_receive and not app.hooks.consumer_stop:
        exit_now(code)
    return code, consumer.stuck_in_receive


async def consume(
    app: App, consumer: PooledConsumer, settings: PoolSettings, options: ConsumerOptions
) -> ExitCode:
    """Run a consumer, and the hook that reports on its queue, to the end."""
    end = threading.Event()
    if app.hooks.report_queue_stats:
        consumer.on_ready = lambda: _start_reports(app, settings, options.report_interval, end)
    code = await consumer.run()
    end.set()
    return code


def run_supervised(app: App, owner: socket.socket, descriptors: list[int], args: dict[str, Any]) -> int:
    """The entry point of a consumer under a supervisor. Returns the exit status.

    `descriptors`: the socket to the fork server, which starts the workers.
    """
    log_setup.configure(args["log_level"], "record")
    log_setup.adopt_application(args["log_level"])
    options = ConsumerOptions(**args["options"])
    create_if_renamed(app, options.queue)
    settings = replace(
        settings_of(options, app.queue_ref(options.queue)),
        label=args["name"],
        log_level=args["log_level"],
    )
    client = client_of(app, settings)
    zygote = ZygoteHandle.inherited(socket.socket(fileno=descriptors[0]))
    facts = ImportFacts(time.time(), files_imported()) if args.get("fresh") else None
    if facts is not None and not args.get("unforkable"):
        tell_ports()  # Nobody did: there was no import before this process's.
    return run(app, options, settings, client, zygote, LoopChannel(owner), facts=facts)


def serve_supervisor(
    consumer: PooledConsumer,
    owner: LoopChannel,
    loop: asyncio.AbstractEventLoop,
    facts: ImportFacts | None,
) -> None:
    """Carry out the supervisor's commands and report to it. If it is gone, drain and exit.

    `facts`: of this process's own import, if any.
    """

    def hear() -> None:
        for frame in owner.receive():
            match frame:
                case Drain(within):
                    consumer.stop("stopped by the supervisor", within, by=StopBy.SUPERVISOR)
                case Pause(on):
                    consumer.pause(on)
                case Scale(workers):
                    consumer.scale(workers)
                case Follow(logs, reports):
                    consumer.jobs.follow(logs, owner.send if reports else None)
                    _show(logs)
        if owner.closed:
            owner.unwatch()
            if consumer.inflight.phase is Phase.RUNNING:
                consumer.stop("the supervisor is gone", by=StopBy.GONE)

    consumer.report_to(ToOwner(owner, facts))
    owner.watch(loop, hear)


def _show(on: bool) -> None:
    """Log followed jobs even if the log level hides INFO."""
    log.follow(on)


def terminal_closed(consumer: PooledConsumer) -> None:
    """The shell and the kernel each send SIGHUP: the second is not a second request."""
    if consumer.inflight.phase is Phase.RUNNING:
        consumer.stop("SIGHUP, the terminal was closed")


def _start_reports(app: App, settings: PoolSettings, interval: float, end: threading.Event) -> None:
    """Call `report_queue_stats` in a separate thread, so that a slow or failing hook delays no receive."""
    client = app.sqs.queue_client(settings.queue, wait_seconds=0, connections=1)

    def report() -> None:
        while True:
            try:
                app.hooks.run_report_queue_stats(client.attributes())
            except Exception:
                log.exception("report_queue_stats failed", extra={"action": "report_failed"})
            if end.wait(interval):
                return

    threading.Thread(target=report, name="squids-report", daemon=True).start()
