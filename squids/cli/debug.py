"""`squids-supervisor debug QUEUE`: runs one queue in the foreground of this terminal, where debuggers work.

A running supervisor of the file pauses the queue meanwhile. The queue's code runs in a process of its own
(`debug_child`), with this process's terminal and the settings of the file.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from squids.cli import client
from squids.cli.apps import local_environment, read_or_report, variables_of
from squids.exit_codes import FAILED, NO_SUCH_NAME, ExitCode
from squids.hints import as_word, did_you_mean
from squids.printable import printable
from squids.process.interpreter import interpreter_of
from squids.supervisor.app_spec import uid_of
from squids.supervisor.settings import ProgramSettings, Settings

PAUSE_SECONDS = 10.0
"""How long the supervisor may take to pause or resume the queue."""


def debug(config: str, queue: str, *, trusting: bool = False) -> int:
    """Run one queue of the file until it is stopped; return the exit code."""
    settings = read_or_report(config, trusting=trusting)
    if settings is None:
        return ExitCode.CONFIG
    program = find_program(settings, queue)
    if program is None:
        names = [one.name for one in settings.programs]
        hint = did_you_mean(queue, names, f"known queues: {', '.join(names)}")
        return _fail(f"unknown queue {as_word(queue)}; {hint}", NO_SUCH_NAME)
    user = program.app_spec.user
    try:
        other = user is not None and uid_of(program.app_spec) != os.geteuid()
    except KeyError:
        return _fail(f"there is no user {user}", ExitCode.CONFIG)
    if other:
        words = f"{program.name} runs as {user}, whose code must not get your terminal"
        return _fail(f"{words}: sudo -u {user} squids-supervisor -c {config} debug {queue}", FAILED)
    environment = local_environment(config)
    with _signals_passed_on() as children, _paused(config, queue):
        return _run(program, environment, children)


def find_program(settings: Settings, queue: str) -> ProgramSettings | None:
    """Return the program of this name, or the first one of this key of the file."""
    programs = settings.programs
    return next((one for one in programs if one.name == queue), None) or next(
        (one for one in programs if one.key == queue), None
    )


@contextmanager
def _paused(config: str, queue: str) -> Iterator[None]:
    """Have a running supervisor receive nothing of this queue meanwhile, unless it does not anyway.

    It does so for as long as the connection lasts, so that a debugger which is killed leaves no pause behind.
    """
    with closing(client.ask(config, "hold", [queue], timeout=PAUSE_SECONDS)) as answers:
        try:
            names = _shown(answers)
        except client.Unreachable as error:
            _print(f"{error}; no consumer is paused")
            names = []
        try:
            yield
        finally:
            if names:
                _resume(config, names)


def _resume(config: str, names: list[str]) -> None:
    """Resume before the connection ends, to show the effect."""
    try:
        _shown(client.ask(config, "resume", names, timeout=PAUSE_SECONDS))
    except client.Unreachable as error:
        _print(f"cannot resume {', '.join(names)}: {error}")


def _shown(answers: Iterable[dict[str, Any]]) -> list[str]:
    """Show the result for each queue, to the last one. Returns their names."""
    names = []
    for answer in answers:
        if answer["type"] == "result":
            names.append(str(answer.get("queue")))
            _print(f"{answer.get('queue')}: {answer.get('text')}")
        elif answer.get("error"):
            _print(str(answer["error"]))
        elif answer["type"] == "text":
            break  # All are held.
    return names


@contextmanager
def _signals_passed_on() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Stop the child, instead of this process, on a signal, so that the queue is resumed.

    SIGINT is not passed on: the terminal sends it to the child, too. It is not SIG_IGN, which is inherited.
    """
    children: list[subprocess.Popen[bytes]] = []

    def stop(*_: Any) -> None:
        if not children:
            raise KeyboardInterrupt
        for child in children:
            child.send_signal(signal.SIGTERM)

    handlers = {signal.SIGINT: lambda *_: None, signal.SIGTERM: stop, signal.SIGHUP: stop}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield children
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(
    program: ProgramSettings, environment: dict[str, str] | None, children: list[subprocess.Popen[bytes]]
) -> int:
    app_spec = program.app_spec
    spec = {
        "owner": os.getpid(),
        "app": app_spec.app,
        "logging": app_spec.logging,
        "name": program.name,
        "options": {"polling_wait_time": 1, **dict(program.options)},
        "log_level": program.log_level,
        "nice": program.nice,
        "limits": dict(program.limits),
    }
    try:
        with interpreter_of("squids.cli.debug_child", spec, app_spec.python) as (command, inherited):
            child = subprocess.Popen(
                command,
                pass_fds=[inherited],
                cwd=app_spec.directory,
                env=variables_of(app_spec, environment),
                umask=-1 if app_spec.umask is None else app_spec.umask,
            )
            children.append(child)
    except OSError as error:
        return _fail(f"cannot start {error.filename or app_spec.python}: {error.strerror}", FAILED)
    code = child.wait()
    if code < 0:
        return 128 - code
    return code


def _print(text: str) -> None:
    print(printable(f"squids-supervisor: {text}"), file=sys.stderr, flush=True)


def _fail(text: str, code: int) -> int:
    _print(text)
    return code
