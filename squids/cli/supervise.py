"""The `squids-supervisor` command: runs a supervisor, or speaks to one that runs.

The verbs are light: they import nothing but this, the client and how answers look.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from squids.cli.entry import run_command
from squids.printable import printable

CONFIG_PATHS = ("./squids.yaml", "/etc/squids/squids.yaml")
"""Where the file is looked for, after -c and $SQUIDS_CONFIG."""

READS_FILE = (None, "run", "check", "tasks", "send", "local")
"""The verbs that read it themselves."""

EPILOG = """\
Without a verb it runs. Queues are named as in the file; 'email*' selects
several; none means all.
Exit codes of verbs: 0 done, 1 failed, 2 usage, 3 (status) not all is as
wanted, 4 the supervisor is not reachable, 5 no such queue, 124 the time-out
passed. Of the supervisor: 0 stopped, 69 gave up as exit_on says, 75 another
one runs for this file, 78 the file is wrong.
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command and its verbs."""
    parser = argparse.ArgumentParser(
        prog="squids-supervisor",
        description="Run one pooled consumer for each queue of a file, and steer them.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        help="The file. Default: $SQUIDS_CONFIG, ./squids.yaml, /etc/squids/squids.yaml",
    )
    _add_trust(parser)
    parser.add_argument("--version", action="store_true", help="Say which version this is, and leave")
    _add_modes(parser)
    parser.set_defaults(trust_files=False, reload=False, local=False, local_port=None, dev=False)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")
    run = verbs.add_parser("run", help="Run the supervisor in the foreground. The default")
    _add_modes(run)
    _add_trust(run)
    _add_offline(verbs)
    _add_looking(verbs)
    _add_steering(verbs)
    return parser


def _add_modes(parser: argparse.ArgumentParser) -> None:
    """How the supervisor is run. Without defaults: these stand before or behind `run`."""
    modes = parser.add_argument_group("development")
    flag: dict[str, Any] = {"action": "store_true", "default": argparse.SUPPRESS}
    modes.add_argument("--reload", **flag, help="Run changed code as soon as it is saved")
    modes.add_argument("--local", **flag, help="Speak to an embedded SQS alone, with the file's queues")
    _add_port(modes)
    modes.add_argument("--dev", **flag, help="--local --reload, short waits, one worker for each queue")


def _add_trust(parser: Any) -> None:
    parser.add_argument(
        "--trust-files",
        action="store_true",
        default=argparse.SUPPRESS,
        help="Take the file and what it includes whoever else can write to them. For containers",
    )


def _add_port(parser: Any) -> None:
    parser.add_argument(
        "--local-port",
        type=_port,
        metavar="N",
        default=argparse.SUPPRESS,
        help="The port of the embedded SQS. Default: a free one",
    )


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a port, not {text}")
    return int(text)


def _add_offline(verbs: Any) -> None:
    check = verbs.add_parser("check", help="Check the file and the apps; with --aws, the queues too")
    check.add_argument("--aws", action="store_true", help="Ask SQS whether each queue exists and may be used")
    check.add_argument("--json", action="store_true", help="For programs")
    _add_trust(check)
    verbs.add_parser("schema", help="Print the file's JSON Schema, for editors")
    local = verbs.add_parser("local", help="Run an embedded SQS with the file's queues, and nothing else")
    _add_port(local)
    _add_trust(local)
    init = verbs.add_parser("init", help="Write a small project that works, and overwrite nothing")
    init.add_argument("directory", nargs="?", default=".", metavar="DIR")
    _add_systemd(verbs)
    tasks = verbs.add_parser("tasks", help="List every app's tasks: queue, signature, place")
    tasks.add_argument("--json", action="store_true", help="For programs")
    _add_trust(tasks)
    send = verbs.add_parser("send", help="Send a call of a task, by its name")
    _add_trust(send)
    send.add_argument("task", metavar="TASK", help="Its name, as `tasks` shows it, or the end of it")
    send.add_argument("kwargs", nargs="?", metavar="JSON", help="The arguments by name: a JSON object")
    send.add_argument("--args", metavar="JSON", help="The arguments by position: a JSON array")
    send.add_argument("--options", metavar="JSON", help='Options of SendMessage: {"DelaySeconds": 5}')
    send.add_argument("--queue", metavar="QUEUE", help="Another queue than the task's")
    send.add_argument("--wait", action="store_true", help="Show the log until it was run")
    send.add_argument("--timeout", type=_seconds, metavar="S", help="Seconds to wait at most")


def _add_systemd(verbs: Any) -> None:
    systemd = verbs.add_parser("systemd", help="Write, remove or print systemd units for this installation")
    actions = systemd.add_subparsers(dest="action", required=True, metavar="ACTION")
    install = actions.add_parser("install", help="Write the units, and say what changes")
    show = actions.add_parser("print", help="Print the units, for configuration management")
    for action in (install, show):
        # Not the command's own -c: it is looked for in other places.
        action.add_argument("--user", metavar="NAME", help="Whom the service runs as. Default: squids")
        action.add_argument(
            "--config", dest="unit_config", metavar="FILE", help="Default: /etc/squids/squids.yaml"
        )
        action.add_argument(
            "--instance", metavar="NAME", help="squids-supervisor@NAME, with /etc/squids/NAME.yaml"
        )
    uninstall = actions.add_parser("uninstall", help="Stop them, and remove what install wrote")
    for action in (install, uninstall):
        action.add_argument(
            "--dry-run", action="store_true", help="Say what would change, and change nothing"
        )
    for action in (install, show, uninstall):
        action.add_argument(
            "--user-mode", action="store_true", help="For `systemctl --user`, below ~/.config"
        )


def _add_looking(verbs: Any) -> None:
    _verb(verbs, "status", "What each queue does", "json")
    _verb(verbs, "why", "How each queue's processes ended, and what they said last", "json")
    for name, text in (("logs", "The last lines"), ("events", "The last changes of state, and why")):
        verb = _verb(verbs, name, text, "json")
        verb.add_argument("-f", "--follow", action="store_true", help="Go on with what comes")
        verb.add_argument("-n", "--lines", type=_positive, default=50, help="How many. Defaults to 50")
    _verb(verbs, "pid", "The supervisor's pid, or those of queues", "json")
    wait = _verb(verbs, "wait", "Wait until queues run, or are down", "json", "timeout")
    wait.add_argument("--for", dest="for_", choices=["running", "stopped"], default="running")


def _add_steering(verbs: Any) -> None:
    common = ("json", "timeout", "wait")
    _verb(verbs, "start", "Start queues", *common)
    _verb(verbs, "stop", "Drain and stop queues", *common)
    restart = _verb(verbs, "restart", "Restart queues with the code that is on disk now", *common)
    restart.add_argument(
        "--rolling", action="store_true", help="The new process receives before the old one drains"
    )
    _verb(verbs, "pause", "Stop receiving, and keep the processes", *common)
    _verb(verbs, "resume", "Receive again", *common)
    _verb(verbs, "scale", "Change the number of workers: QUEUE=N, until the next reload", *common)
    reload = _verb(verbs, "reload", "Read the file again, and touch only what changed", *common, queues=False)
    reload.add_argument("--dry-run", action="store_true", help="Say what would change, and change nothing")
    _verb(verbs, "reset", "Forget the failures of queues, and start them now", *common)
    _verb(verbs, "dump", "What each thread of each process does", "json")
    send = _verb(verbs, "signal", "Send a signal to the main processes of queues", "json", queues=False)
    send.add_argument("signal", metavar="SIGNAL")
    send.add_argument("queues", nargs="+", metavar="QUEUE")
    down = _verb(verbs, "shutdown", "Drain all queues, and end the supervisor", *common, queues=False)
    down.add_argument("--now", action="store_true", help="Do not wait for tasks: give them back")


def _verb(verbs: Any, name: str, text: str, *options: str, queues: bool = True) -> argparse.ArgumentParser:
    verb: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    if queues:
        verb.add_argument("queues", nargs="*", metavar="QUEUE")
    if "json" in options:
        verb.add_argument("--json", action="store_true", help="For programs: a line of JSON for each answer")
    if "timeout" in options:
        verb.add_argument("--timeout", type=_seconds, metavar="S", help="Seconds to wait at most")
    if "wait" in options:
        verb.add_argument("--no-wait", action="store_true", help="Do not wait for the effect")
    return verb


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 1, not {text}")
    return int(text)


def _seconds(text: str) -> float:
    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1)
    try:
        seconds = float(number) * unit
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < 1e9:
        raise argparse.ArgumentTypeError(f"expected a time such as 30, 30s or 5m, not {text}")
    return seconds


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the console script."""
    if sys.platform == "win32":
        print("squids-supervisor: needs unix sockets and processes; on Windows use WSL", file=sys.stderr)
        return 2
    return run_command("squids-supervisor", lambda: _main(argv))


def _main(argv: Sequence[str] | None) -> int:
    parser = build_parser()
    arguments = parser.parse_args(argv)
    _refuse_modes(parser, arguments)
    if arguments.version:
        return _version()
    if arguments.verb == "schema":
        return _schema()
    config = find_config(arguments.config)
    if config is None and arguments.verb not in ("init", "local", "systemd"):
        named = "-c FILE, $SQUIDS_CONFIG, " + " or ".join(CONFIG_PATHS)
        print(f"squids-supervisor: there is no configuration file: {named}", file=sys.stderr)
        return 78
    try:
        return _do(config or "", arguments)
    except KeyboardInterrupt:
        return 130


def _refuse_modes(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """No flag is taken and then ignored: who writes `--local send` would send elsewhere."""
    if arguments.verb == "send" and arguments.timeout is not None and not arguments.wait:
        parser.error("--timeout: how long --wait waits, which is not there")
    if arguments.trust_files and arguments.verb not in READS_FILE:
        parser.error(f"--trust-files: for what reads the file, not for {arguments.verb}")
    if arguments.verb in (None, "run"):
        return
    given = [f"--{name}" for name in ("reload", "local", "dev") if getattr(arguments, name)]
    if arguments.local_port is not None and arguments.verb != "local":
        given.append("--local-port")
    if given:
        parser.error(f"{', '.join(given)}: for running the supervisor, not for {arguments.verb}")


def _do(config: str, arguments: argparse.Namespace) -> int:
    match arguments.verb:
        case None | "run":
            return _run(config, arguments)
        case "init":
            from squids.cli.init.project import write_project

            return write_project(arguments.directory)
        case "local":
            from squids.cli.embedded import run_alone

            return run_alone(config or None, arguments.local_port or 0, trusting=arguments.trust_files)
        case "systemd":
            from squids.cli.systemd.install import run as run_systemd

            return run_systemd(arguments)
        case "check":
            from squids.cli.check import check

            return check(config, aws=arguments.aws, as_json=arguments.json, trusting=arguments.trust_files)
        case "tasks":
            from squids.cli.tasks import show_tasks

            return _unless_unreachable(
                lambda: show_tasks(config, as_json=arguments.json, trusting=arguments.trust_files)
            )
        case "send":
            from squids.cli.send import send

            return _unless_unreachable(lambda: send(config, arguments))
        case _:
            return _ask(config, arguments)


def _run(config: str, arguments: argparse.Namespace) -> int:
    from squids.process.signals import ignore_requests

    hangup = ignore_requests()  # What it is about to do takes longer than a signal.
    from squids.cli.run_supervisor import Mode, from_file, run

    local = arguments.local or arguments.dev or arguments.local_port is not None
    mode = Mode(
        reload=arguments.reload or arguments.dev,
        local=(arguments.local_port or 0) if local else None,
        dev=arguments.dev,
    )
    return run(from_file(config, trusting=arguments.trust_files), mode, hangup)


def find_config(given: str | None) -> str | None:
    """The file that is meant, absolute; None if there is none in any of its places."""
    named = given or os.environ.get("SQUIDS_CONFIG")
    if named:
        return os.path.abspath(named)
    return next((os.path.abspath(path) for path in CONFIG_PATHS if os.path.exists(path)), None)


MADE_UP = (LookupError, ArithmeticError, TypeError, ValueError, AttributeError, RecursionError)
"""What showing an answer comes to that is of another version, or of no supervisor."""


def _ask(config: str, arguments: argparse.Namespace) -> int:
    from squids.cli import client, render

    options: dict[str, Any] = {}
    for name in ("timeout", "rolling", "dry_run", "now", "follow", "lines", "signal"):
        value = getattr(arguments, name, None)
        if value is not None and value is not False:  # A time-out of 0 is one.
            options[name] = value
    if hasattr(arguments, "for_"):
        options["for"] = arguments.for_
    if getattr(arguments, "no_wait", False):
        options["wait"] = False
    queues = list(getattr(arguments, "queues", []))

    def show() -> int:
        for answer in client.ask(config, arguments.verb, queues, **options):
            if answer["type"] != "end" or arguments.json:
                try:
                    render.show(answer, as_json=arguments.json)
                except MADE_UP:
                    raise client.Unreachable(f"the answer to {arguments.verb} cannot be understood") from None
            if answer["type"] == "end":
                if answer.get("error") and not arguments.json:
                    print(f"squids-supervisor: {printable(answer['error'])}", file=sys.stderr)
                return int(answer["code"])
        return 4

    return _unless_unreachable(show)


def _unless_unreachable(verb: Callable[[], int]) -> int:
    from squids.cli import client

    try:
        return verb()
    except client.Unreachable as error:
        print(f"squids-supervisor: {printable(str(error))}", file=sys.stderr)
        return 4


def _schema() -> int:
    import json

    from squids.supervisor.config.rules import json_schema

    print(json.dumps(json_schema(), indent=2))
    return 0


def _version() -> int:
    from importlib.metadata import PackageNotFoundError, version

    try:
        print(f"squids-supervisor {version('squids')}")
    except PackageNotFoundError:
        print("squids-supervisor, not installed as a package")
    return 0


if __name__ == "__main__":
    sys.exit(main())
