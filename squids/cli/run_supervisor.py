"""`squids-supervisor` without a verb: reads the file, takes the lock, and runs until it is stopped."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import sys
import time

from squids.exit_codes import ExitCode
from squids.process.child import open_standard_streams, set_title
from squids.process.pid1 import run_as_init_if_pid1
from squids.process.signals import restore_defaults
from squids.supervisor.config import read
from squids.supervisor.control_protocol import default_socket
from squids.supervisor.control_server import ControlServer
from squids.supervisor.lines import Line, as_text, iso
from squids.supervisor.lock import Lock, Locked
from squids.supervisor.orders import Orders
from squids.supervisor.rollout import Plan, Rollout
from squids.supervisor.settings import Settings
from squids.supervisor.supervisor import Supervisor


def run(config: str) -> int:
    """Run the supervisor of this file; the exit code."""
    open_standard_streams()
    run_as_init_if_pid1()
    settings = _read(config)
    if isinstance(settings, list):
        for text in settings:
            print(text, file=sys.stderr)
        noun = "mistake" if len(settings) == 1 else "mistakes"
        print(f"squids-supervisor: {config}: {len(settings)} {noun}", file=sys.stderr)
        return ExitCode.CONFIG
    try:
        lock = Lock.take(config)
    except Locked as error:
        print(f"squids-supervisor: {error}", file=sys.stderr)
        return ExitCode.LOCKED
    except OSError as error:
        print(f"squids-supervisor: cannot make {error.filename}: {error.strerror}", file=sys.stderr)
        return ExitCode.CONFIG
    restore_defaults()
    set_title(f"squids: supervisor {os.path.basename(config)}")
    return asyncio.run(_run(config, settings, lock))


def _read(config: str) -> Settings | list[str]:
    found = read(config, os.environ)
    return [str(problem) for problem in found] if isinstance(found, list) else found


async def _run(config: str, settings: Settings, lock: Lock) -> int:
    supervisor = Supervisor(settings, soft_nofile=_raise_descriptor_limit())
    rollout = Rollout(supervisor, lambda: _read(config))
    path = settings.supervisor.socket or default_socket(config)
    server = ControlServer(
        path,
        settings.supervisor.socket_mode,
        settings.supervisor.socket_group,
        Orders(supervisor, rollout).run,
    )
    _route_logging(supervisor)
    try:
        await server.start()
    except OSError as error:
        print(f"squids-supervisor: cannot listen at {path}: {error.strerror or error}", file=sys.stderr)
        return ExitCode.CONFIG
    lock.tell(pid=os.getpid(), started_at=iso(time.time()), socket=path, config=config)
    _take_signals(supervisor, rollout)
    noun = "program" if len(settings.programs) == 1 else "programs"
    supervisor.say(
        "INFO", "started", f"{config}: {len(settings.programs)} {noun}", pid=os.getpid(), socket=path
    )
    for warning in settings.warnings:
        supervisor.say("WARNING", "warning", warning)
    supervisor.start()
    try:
        return await supervisor.run(server.close)
    finally:
        await server.close()
        _take_no_more_signals()


def _take_signals(supervisor: Supervisor, rollout: Rollout) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, supervisor.shut_down, signal.Signals(number).name)
    tasks: set[asyncio.Task[None]] = set()

    async def reload() -> None:
        plan = await rollout.plan()
        if isinstance(plan, Plan) and not supervisor.stopping:
            rollout.begin(rollout.apply(plan, timeout=None))

    def on_hangup() -> None:
        task = asyncio.ensure_future(reload())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    loop.add_signal_handler(signal.SIGHUP, on_hangup)
    loop.add_signal_handler(signal.SIGUSR1, supervisor.report)
    loop.add_signal_handler(signal.SIGUSR2, supervisor.output.reopen)


def _take_no_more_signals() -> None:
    """The loop closes: a signal must not find its wakeup descriptor closed, and need not end what ends."""
    loop = asyncio.get_running_loop()
    for number in (
        signal.SIGCHLD,
        signal.SIGTERM,
        signal.SIGINT,
        signal.SIGHUP,
        signal.SIGUSR1,
        signal.SIGUSR2,
    ):
        loop.remove_signal_handler(number)
        if number != signal.SIGCHLD:
            signal.signal(number, signal.SIG_IGN)


def _raise_descriptor_limit() -> int | None:
    """Each child costs this process two descriptors. Children get the limit that was."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, 1_000_000) if hard != resource.RLIM_INFINITY else 1_000_000
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return None
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return None
    return soft


def _route_logging(supervisor: Supervisor) -> None:
    """What libraries, asyncio above all, log in this process goes the way of all lines."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            traceback = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
            line = Line(
                record.created,
                "supervisor",
                record.levelname,
                record.getMessage(),
                record.name,
                {},
                traceback,
            )
            try:
                supervisor.output.line(line)
            except Exception:  # The last resort.
                print(as_text(line), file=sys.stderr)

    root = logging.getLogger()
    root.handlers[:] = [Handler()]
    root.setLevel("WARNING")
