"""The `squids-supervisor` command: runs a supervisor, or sends requests to a running one.

Verbs are light: they import only this, the client and `render`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from squids.cli.entry import run_command, show_version
from squids.cli.parser import build_parser
from squids.cli.start import interruptible
from squids.exit_codes import UNREACHABLE, ExitCode
from squids.printable import printable
from squids.supervisor.control.protocol import SYSTEM_CONFIG
from squids.supervisor.control.verbs import COMMANDS, REMOTE, TRUST

CONFIG_PATHS = ("./squids.yaml", f"{SYSTEM_CONFIG}/squids.yaml")
"""Where the file is looked for, after -c and $SQUIDS_CONFIG."""

READS_FILE = {None, "run", *(verb.name for verb in COMMANDS.values() if TRUST in verb.arguments)}
"""Verbs that read the file themselves."""


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the console script."""
    if sys.platform == "win32":
        print("squids-supervisor: needs unix sockets and processes; on Windows use WSL", file=sys.stderr)
        return ExitCode.USAGE
    return run_command("squids-supervisor", lambda: _main(argv))


def _main(argv: Sequence[str] | None) -> int:
    parser = build_parser()
    if "_ARGCOMPLETE" in os.environ:
        from squids.cli.completion import complete

        complete(parser)
    arguments = parser.parse_args(argv)
    _refuse_modes(parser, arguments)
    if arguments.version:
        return show_version("squids-supervisor")
    if arguments.verb == "schema":
        return _schema()
    config = find_config(arguments.config)
    if config is None and arguments.verb not in ("init", "local", "systemd", "completion"):
        places = "-c FILE, $SQUIDS_CONFIG, " + " or ".join(CONFIG_PATHS)
        return _fail(arguments, ExitCode.CONFIG, f"no configuration file; looked for {places}")
    command = _command(config or "", arguments)
    if arguments.verb not in (None, "run"):  # The supervisor itself decides when it is ready.
        interruptible()
    return command()


def _refuse_modes(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Reject flags that would be ignored: `--local send` would send elsewhere."""
    if arguments.verb == "send" and arguments.timeout is not None and not arguments.wait:
        parser.error("--timeout: only with --wait")
    if arguments.trust_files and arguments.verb not in READS_FILE:
        parser.error(f"--trust-files: only for verbs that read the file, not for {arguments.verb}")
    if arguments.verb in (None, "run"):
        return
    given = [f"--{name}" for name in ("reload", "local", "dev") if getattr(arguments, name)]
    if arguments.local_port is not None and arguments.verb != "local":
        given.append("--local-port")
    if given:
        parser.error(f"{', '.join(given)}: for running the supervisor, not for {arguments.verb}")


def _command(config: str, arguments: argparse.Namespace) -> Callable[[], int]:
    """Return the requested command, with its imports done, since SIGINT must not interrupt an import."""
    match arguments.verb:
        case None | "run":
            return _run(config, arguments)
        case "init":
            from squids.cli.init.project import write_project

            return lambda: write_project(arguments.directory)
        case "local":
            from squids.cli.local_sqs import run_alone

            port, trusting = arguments.local_port or 0, arguments.trust_files
            return lambda: run_alone(config or None, port, trusting=trusting)
        case "systemd":
            from squids.cli.systemd.install import run as run_systemd

            return lambda: run_systemd(arguments)
        case "completion":
            from squids.cli.completion import print_completion

            return lambda: print_completion(arguments.shell)
        case "check":
            from squids.cli.check import check

            aws, as_json, trusting = arguments.aws, arguments.json, arguments.trust_files
            return lambda: check(config, aws=aws, as_json=as_json, trusting=trusting)
        case "tasks":
            from squids.cli.tasks import show_tasks

            as_json, trusting = arguments.json, arguments.trust_files
            return _unless_unreachable(
                arguments, lambda: show_tasks(config, as_json=as_json, trusting=trusting)
            )
        case "send":
            from squids.cli.send import send

            return _unless_unreachable(arguments, lambda: send(config, arguments))
        case "debug":
            from squids.cli.debug import debug

            queue, trusting = arguments.queue, arguments.trust_files
            return _unless_unreachable(arguments, lambda: debug(config, queue, trusting=trusting))
        case _:
            return _ask(config, arguments)


def _run(config: str, arguments: argparse.Namespace) -> Callable[[], int]:
    from squids.process.signals import ignore_requests

    hangup = ignore_requests()  # The imports below take longer than a signal.
    from squids.cli.run_supervisor import Mode, from_file, run

    local = arguments.local or arguments.dev or arguments.local_port is not None
    mode = Mode(
        reload=arguments.reload or arguments.dev,
        local=(arguments.local_port or 0) if local else None,
        dev=arguments.dev,
    )
    return lambda: run(from_file(config, trusting=arguments.trust_files), mode, hangup)


def find_config(given: str | None) -> str | None:
    """Return the absolute path of the configuration file, or None if none was given or found."""
    path = given or os.environ.get("SQUIDS_CONFIG")
    if path:
        return os.path.abspath(path)
    return next((os.path.abspath(path) for path in CONFIG_PATHS if os.path.exists(path)), None)


def _ask(config: str, arguments: argparse.Namespace) -> Callable[[], int]:
    from squids.cli import client, render

    verb = REMOTE[arguments.verb]
    options: dict[str, Any] = {}
    for argument in verb.arguments:
        value = getattr(arguments, argument.dest, None)
        if argument.dest not in ("queues", "json", "no_wait") and value is not None and value is not False:
            options[argument.dest] = value  # A timeout of 0 counts.
    if getattr(arguments, "no_wait", False):
        options["wait"] = False
    queues = list(getattr(arguments, "queues", []))

    def show() -> int:
        try:
            answers = client.ask(config, verb.name, queues, **options)
            return render.show_all(answers, verb, as_json=arguments.json)
        except render.MALFORMED:
            problem = f"the answer to {verb.name} cannot be understood"
            raise client.Unreachable(f"{problem}; {client.VERSIONS_MAY_DIFFER}") from None

    return _unless_unreachable(arguments, show)


def _unless_unreachable(arguments: argparse.Namespace, verb: Callable[[], int]) -> Callable[[], int]:
    from squids.cli import client
    from squids.supervisor.control.place import Untrusted

    def code() -> int:
        try:
            return verb()
        except (client.Unreachable, Untrusted) as error:
            return _fail(arguments, UNREACHABLE, str(error))

    return code


def _fail(arguments: argparse.Namespace, code: int, error: str) -> int:
    """Print why a verb cannot be carried out, with --json also as a document; return the exit code."""
    print(f"squids-supervisor: {printable(error)}", file=sys.stderr)
    if getattr(arguments, "json", False):
        from squids.cli import render

        render.print_failure(COMMANDS[arguments.verb], code, error)
    return code


def _schema() -> int:
    import json

    from squids.supervisor.config.schema import json_schema

    print(json.dumps(json_schema(), indent=2))
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main())
