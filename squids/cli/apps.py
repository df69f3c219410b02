"""Asks the apps of a file about themselves, each in its own process, run like its queues."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
from contextlib import closing
from typing import Any

from squids.bounds import TRACEBACK, cut
from squids.cli import client
from squids.cli.app_answers import checked
from squids.hints import count
from squids.printable import printable
from squids.process.interpreter import interpreter_of
from squids.supervisor.app_spec import environment_of, group_of, groups_of, user_of
from squids.supervisor.config.build import read
from squids.supervisor.control.place import Untrusted
from squids.supervisor.settings import AppSpec, Settings

MAX_OUTPUT = 4 * 1024 * 1024
"""Maximum bytes kept of an app's output. The answer comes last."""


def read_or_report(config: str, *, trusting: bool = False) -> Settings | None:
    """Read the file; if it is invalid, print its problems and return None. `trusting`: as in `read`."""
    settings = read(config, os.environ, trusting=trusting)
    if not isinstance(settings, list):
        return settings
    report_mistakes(config, [str(problem) for problem in settings])
    return None


def report_mistakes(config: str, mistakes: list[str]) -> None:
    """Print all mistakes of a file, each of which is one line, and their number; or why there is no file."""
    found = os.path.isfile(config)
    for mistake in mistakes:
        print(printable(mistake if found else f"squids-supervisor: {mistake}"), file=sys.stderr)
    if found:
        print(printable(f"{config}: {count(len(mistakes), 'mistake')}"), file=sys.stderr)


def local_environment(config: str) -> dict[str, str] | None:
    """Return the variables for the local SQS of this file's supervisor, or None if it has none.

    Only the port is taken from the supervisor, and only for this machine. If it is unknown where to send,
    raises Untrusted, because another user could be in the supervisor's place, or Unreachable, because the
    supervisor gave an answer of an unknown type.
    """
    try:
        with closing(client.ask(config, "local", [])) as answers:
            first = next(answers, {})
    except client.Unreachable:
        return None
    if first.get("type", "end") not in ("local", "end"):
        raise client.Unreachable(client.unexpected(first))
    endpoint = first.get("endpoint") if first.get("type") == "local" else None
    if not endpoint:
        return None
    from squids.testing.local_sqs import exports_of, port_of

    port = port_of(str(endpoint))
    if port is None:
        raise Untrusted(f"the supervisor of {config} names a local SQS that is not on this machine")
    return exports_of(port)


def error_text(app_spec: AppSpec, error: str) -> str:
    """Return an app's error as a sentence that names the app, followed by its traceback if there is one."""
    if "\n" in error and not error.startswith("importing"):
        return f"{app_spec.app} cannot be imported:\n{error}"
    return error if error.startswith(app_spec.app) else f"{app_spec.app}: {error}"


def ask_app(
    app_spec: AppSpec, question: dict[str, Any], timeout: float, environment: dict[str, str] | None = None
) -> dict[str, Any]:
    """Return the answer of `app_child`, or its `error`.

    `environment`: the variables for a local SQS; the app spec's own AWS variables are dropped then.
    """
    mark = secrets.token_hex(8)
    spec = {"app": app_spec.app, "logging": app_spec.logging, "mark": mark, **question}
    try:
        with interpreter_of("squids.cli.app_child", spec, app_spec.python) as (command, inherited):
            code, output, errors = _run(
                command,
                timeout,
                pass_fds=[inherited],
                cwd=app_spec.directory,
                env=variables_of(app_spec, environment),
                user=user_of(app_spec),
                group=group_of(app_spec),
                extra_groups=None if app_spec.user is None else groups_of(app_spec),
            )
    except subprocess.TimeoutExpired:
        return {"error": f"its import took over {timeout:g} s"}
    except OSError as error:
        return {"error": f"cannot start {error.filename or app_spec.python}: {error.strerror}"}
    for line in output.splitlines():
        if line.startswith(mark):
            try:
                return checked(question["do"], json.loads(line.removeprefix(mark)))
            except (ValueError, RecursionError):
                return {"error": "its process gave an answer that cannot be understood"}
    last_output = cut((errors or output).strip(), TRACEBACK)
    return {"error": f"importing it ended the process with {code}:\n{last_output}"}


def variables_of(app_spec: AppSpec, environment: dict[str, str] | None) -> dict[str, str]:
    """Return the environment of an app's process. `environment`: as in `ask_app`."""
    variables = environment_of(app_spec)
    if environment:
        from squids.testing.local_sqs import past_proxies

        variables = {name: value for name, value in variables.items() if not name.startswith("AWS_")}
        variables |= {**environment, **past_proxies(variables)}
    return variables


def _run(command: list[str], timeout: float, **process: Any) -> tuple[int, str, str]:
    """Run a command without a terminal; return its exit code and the end of its output.

    Raises TimeoutExpired.
    """
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Another user's code could type into root's terminal.
        **process,
    )
    output, errors = _Tail(child.stdout), _Tail(child.stderr)
    try:
        code = child.wait(timeout)
    except BaseException:  # Also on Ctrl-C, which does not reach a child without a terminal.
        child.kill()
        child.wait()
        raise
    return code, output.text(), errors.text()


class _Tail:
    """Reads a pipe to the end, and keeps the last MAX_OUTPUT bytes."""

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        self._kept = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._pipe:
            while chunk := self._pipe.read1(1 << 16):
                self._kept = (self._kept + chunk)[-MAX_OUTPUT:]

    def text(self) -> str:
        """Return what was kept. A process left by the app may still hold the pipe open."""
        self._thread.join(1.0)
        return self._kept.decode(errors="replace")
