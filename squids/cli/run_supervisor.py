"""`squids-supervisor` without a verb: reads the file, takes the lock, and runs until stopped."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from squids.cli import local_sqs
from squids.cli.entry import exit_code_of, print_error
from squids.exit_codes import ExitCode
from squids.hints import count
from squids.process.child import open_standard_streams, set_title
from squids.process.log_lines import SUPERVISOR, as_text, iso
from squids.process.log_setup import line_of
from squids.process.pid1 import run_as_init_if_pid1
from squids.process.sd_notify import Notifier
from squids.process.signals import REQUESTS, STOPS, Hangup, restore_defaults
from squids.process.stops import StopBy
from squids.supervisor import events
from squids.supervisor.config.build import read
from squids.supervisor.control.context import Context
from squids.supervisor.control.dispatch import Dispatch
from squids.supervisor.control.lock import Lock, Locked
from squids.supervisor.control.place import Untrusted
from squids.supervisor.control.protocol import default_socket
from squids.supervisor.control.server import ControlServer
from squids.supervisor.file_reload import RELOAD, FileReload
from squids.supervisor.reload.reloader import Reloader
from squids.supervisor.rollout import Rollout
from squids.supervisor.settings import Settings
from squids.supervisor.supervisor import Supervisor
from squids.supervisor.systemd import Unit

if TYPE_CHECKING:
    from squids.testing.local_sqs import LocalSQS


@dataclass(frozen=True, slots=True)
class ConfigSource:
    """Where the settings come from.

    `read` returns them, or all their mistakes. `title`: for the title of the process. `config`: the file, or
    None if there is none, and so neither a lock nor a control socket. `program`: the command, for messages.
    """

    read: Callable[[], Settings | list[str]]
    title: str
    config: str | None = None
    program: str = "squids-supervisor"


@dataclass(frozen=True, slots=True)
class Mode:
    """Overrides of the file's settings.

    `local`: the port of a local SQS, 0 for a free one, None for none. `dev`: short waits, one worker per
    queue and output for people, unless the file says otherwise.
    """

    reload: bool = False
    local: int | None = None
    dev: bool = False

    def apply(self, settings: Settings) -> Settings:
        """Return the settings with these overrides."""
        if self.dev:
            settings = _for_development(settings)
        if self.local is not None:
            settings = local_sqs.without_aws_variables(settings)
        if self.reload:
            settings = replace(settings, reload=replace(settings.reload, enabled=True))
        return settings


def _for_development(settings: Settings) -> Settings:
    programs = []
    for program in settings.programs:
        options = {"workers": 1, "polling_wait_time": 1, **dict(program.options)}
        programs.append(replace(program, options=tuple(sorted(options.items()))))
    supervisor = replace(
        settings.supervisor,
        log_format=settings.supervisor.log_format or "brief",
        log_jobs=settings.supervisor.log_jobs is not False,
    )
    return replace(settings, programs=tuple(programs), supervisor=supervisor)


def from_file(config: str, *, trusting: bool = False) -> ConfigSource:
    """Return the settings of a file. `trusting`: accept files that other users can write to."""

    def read_file() -> Settings | list[str]:
        found = read(config, os.environ, trusting=trusting)
        return [str(problem) for problem in found] if isinstance(found, list) else found

    return ConfigSource(read_file, f"supervisor {os.path.basename(config)}", config)


def _print_mistakes(source: ConfigSource, mistakes: list[str]) -> None:
    found = source.config is None or os.path.isfile(source.config)
    for text in mistakes:
        print_error(text if found else f"{source.program}: {text}")
    if found:
        print_error(f"{source.program}: {source.config}: {count(len(mistakes), 'mistake')}")


def run(source: ConfigSource, mode: Mode, hangup: Hangup) -> int:
    """Run the supervisor; return the exit code.

    `hangup`: what SIGHUP means. Signals that request something are ignored until they can be handled.
    """
    open_standard_streams()
    faulthandler.enable(2)  # SIGABRT, as systemd sends it to end a hang, then shows where it hung.
    run_as_init_if_pid1()
    settings = source.read()
    if isinstance(settings, list):
        _print_mistakes(source, settings)
        return ExitCode.CONFIG
    lock: Lock | None = None
    if source.config is not None:
        try:
            lock = Lock.take(source.config, settings.supervisor.socket or default_socket(source.config))
        except Untrusted as error:
            print_error(f"{source.program}: {error}")
            return ExitCode.CONFIG
        except Locked as error:
            print_error(f"{source.program}: {error}")
            return ExitCode.LOCKED
        except OSError as error:
            what = f"cannot create {error.filename}: {error.strerror}"
            print_error(f"{source.program}: {what}; {_other_place(settings)}")
            return exit_code_of(error)
    try:
        return _run_locked(source, mode, settings, lock, hangup)
    finally:
        if lock is not None:
            lock.release()


def _other_place(settings: Settings) -> str:
    """Return what to do if the folder of the lock and the control socket cannot be used."""
    if settings.supervisor.socket is not None:
        return "the folder of supervisor.socket, with the lock, must be one that this user can write to"
    return (
        "the control socket and its lock are to be there: set supervisor.socket in the file to a path in a "
        "folder that this user can write to, or XDG_RUNTIME_DIR to such a folder"
    )


def _run_locked(
    source: ConfigSource, mode: Mode, settings: Settings, lock: Lock | None, hangup: Hangup
) -> int:
    restore_defaults(but=REQUESTS)
    set_title(f"squids: {source.title}")
    server = None
    if mode.local is not None:
        server = local_sqs.start(mode.local, source.program)
        if server is None:
            return ExitCode.FAILURE
        local_sqs.print_endpoint(server)
    source = replace(source, read=_in_mode(source.read, mode))
    return asyncio.run(_run(source, mode.apply(settings), lock, server, hangup))


def _in_mode(read: Callable[[], Settings | list[str]], mode: Mode) -> Callable[[], Settings | list[str]]:
    def read_in_mode() -> Settings | list[str]:
        found = read()
        return found if isinstance(found, list) else mode.apply(found)

    return read_in_mode


async def _run(
    source: ConfigSource, settings: Settings, lock: Lock | None, local: LocalSQS | None, hangup: Hangup
) -> int:
    supervisor = Supervisor(settings, soft_nofile=_raise_descriptor_limit())
    supervisor.local_endpoint = local.url if local is not None else None
    supervised_sqs = local_sqs.SupervisedSQS(local, supervisor) if local is not None else None
    create_queues = supervised_sqs.create_queues if supervised_sqs is not None else None
    rollout = Rollout(supervisor)
    file_reload = FileReload(supervisor, rollout, source.read, create_queues)
    reloader = Reloader(supervisor, rollout, file_reload)
    notifier = Notifier.take(os.environ)
    unit = Unit(supervisor, file_reload, notifier) if notifier is not None else None
    server: ControlServer | None = None
    _route_logging(supervisor)
    try:
        if supervised_sqs is not None:
            await supervised_sqs.start()
        await reloader.start()
        if source.config is not None and lock is not None:
            listening = await _listen(source, Context(supervisor, rollout, file_reload), lock)
            if isinstance(listening, ExitCode):
                return listening
            server = listening
            lock.record(
                pid=os.getpid(),
                started_at=iso(time.time()),
                socket=server.path,
            )
        _handle_signals(supervisor, file_reload, hangup)
        socket = {"socket": server.path} if server is not None else {}
        title = source.config or source.title
        supervisor.say(events.started(title, len(settings.programs), pid=os.getpid(), **socket))
        for warning in settings.warnings:
            supervisor.say(events.warning(warning))
        supervisor.start()
        if unit is not None:
            unit.start()
        return await supervisor.run(server.close if server is not None else _close_no_server)
    finally:
        if unit is not None:
            unit.close()
        reloader.close()
        if server is not None:
            await server.close()
        if supervised_sqs is not None:
            supervised_sqs.close()
        _ignore_signals()


async def _listen(source: ConfigSource, context: Context, lock: Lock) -> ControlServer | ExitCode:
    """Start the control socket; if that fails, print why and return an exit code."""
    assert source.config is not None
    supervisor = context.supervisor
    options = supervisor.settings.supervisor
    path = options.socket or default_socket(source.config)

    def keep_lock() -> None:
        try:
            lock.keep()
        except Locked as error:
            if not supervisor.stopping:  # Its file was removed, and another supervisor took over.
                supervisor.shut_down(str(error), StopBy.ITSELF)
            raise

    server = ControlServer(
        path,
        options.socket_mode,
        options.socket_group,
        Dispatch(context).run,
        supervisor.say,
        keep_lock,
    )
    try:
        await server.start()
    except OSError as error:
        text = f"cannot listen at {path}: {error.strerror or error}"
        if options.socket_group is not None and isinstance(error, PermissionError):
            text += f" (socket_group: requires membership in {options.socket_group}, and permission to chown)"
        print_error(f"{source.program}: {text}")
        return exit_code_of(error)
    return server


async def _close_no_server() -> None:
    """Do nothing: there is no control socket."""


def _handle_signals(supervisor: Supervisor, file_reload: FileReload, hangup: Hangup) -> None:
    loop = asyncio.get_running_loop()
    for number in STOPS:
        loop.add_signal_handler(number, supervisor.shut_down, signal.Signals(number).name)

    def on_terminal_closed() -> None:
        if not supervisor.stopping:  # The shell and the kernel each send one: it is not a second signal.
            supervisor.shut_down("SIGHUP, the terminal was closed")

    def on_reload_request() -> None:
        supervisor.background.start(RELOAD, file_reload.run())

    if hangup is not Hangup.NOTHING:
        loop.add_signal_handler(
            signal.SIGHUP, on_terminal_closed if hangup is Hangup.STOP else on_reload_request
        )
    loop.add_signal_handler(signal.SIGUSR1, supervisor.report)
    loop.add_signal_handler(signal.SIGUSR2, supervisor.output.reopen)


def _ignore_signals() -> None:
    """Ignore signals from now on.

    After the loop has closed, a late signal must find neither its closed wakeup descriptor nor the signal's
    default action.
    """
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
    """Raise the limit of descriptors; return the previous one, for children.

    This process needs four descriptors per consumer, and two per worker.
    """
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
    """Log records of libraries, mostly asyncio's, as lines of the supervisor."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            line = line_of(record, SUPERVISOR)
            try:
                supervisor.output.line(line)
            except Exception:  # The last resort.
                print(as_text(line), file=sys.stderr)

    root = logging.getLogger()
    root.handlers[:] = [Handler()]
    root.setLevel("WARNING")
