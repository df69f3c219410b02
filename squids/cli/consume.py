"""The `squids` command: one queue, a pool of worker processes."""

from __future__ import annotations

import argparse
import faulthandler
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from squids.cli.entry import print_error, run_command, show_version
from squids.errors import AppImportFailed, ConfigurationError
from squids.exit_codes import ExitCode
from squids.options import OPTIONS, ConsumerOptions, Option, validate
from squids.queue_names import QueueNames
from squids.queues import QueueRef


class _WholeWords(argparse.HelpFormatter):
    """Never breaks a word, so that a URL can be copied or clicked, even if it is longer than the line."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        import textwrap  # Rarely needed, as argparse does it.

        return textwrap.wrap(" ".join(text.split()), width, break_long_words=False, break_on_hyphens=False)


def build_parser() -> argparse.ArgumentParser:
    """Build the parser."""
    parser = argparse.ArgumentParser(
        prog="squids",
        description="Run the tasks of one SQS queue in a pool of worker processes.",
        formatter_class=_WholeWords,
        allow_abbrev=False,
        epilog="Exit codes: 0 drained, 1 failure, 2 usage, 78 a configuration that a restart cannot fix.",
    )
    add_options(parser)
    parser.add_argument(
        "--version",
        action=_ShowVersion,
        nargs=0,
        default=argparse.SUPPRESS,
        help="Show the version and exit",
    )
    return parser


def add_options(parser: argparse.ArgumentParser, optional: Collection[str] = ()) -> None:
    """Add all options but `--version`. Those of a consumer come from `squids.options`.

    `optional`: names of options that are required in `squids`, but not here.
    """
    for option in OPTIONS:
        _add(parser, option, option.required and option.name not in optional)
    parser.add_argument(
        "--log-level",
        default="INFO",
        type=str.upper,
        choices=["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
        metavar="LEVEL",
        help="The least severe level to log: DEBUG, INFO, WARNING, ERROR or CRITICAL; default: INFO",
    )
    parser.add_argument(
        "--log-format",
        default="text",
        choices=["text", "json"],
        metavar="FORMAT",
        help="text or json; default: text",
    )
    parser.add_argument(
        "--logging",
        metavar="FILE",
        help="A configuration of logging, in YAML or JSON, applied before the app is imported",
    )
    development = parser.add_argument_group("development")
    development.add_argument("--reload", action="store_true", help="Run changed code as soon as it is saved")
    development.add_argument(
        "--local", action="store_true", help="Use a local SQS with this queue, and no other"
    )
    development.add_argument(
        "--local-port", type=int, metavar="N", help="The port of the local SQS; default: a free one"
    )


def arguments_of(values: Mapping[str, Any]) -> list[str]:
    """Return the command line of these values by name. Other names are ignored."""
    line = []
    for action in build_parser()._actions:
        value = values.get(action.dest, action.default)
        if value != action.default:
            flag = action.option_strings[-1]
            line.append(flag if action.nargs == 0 else f"{flag}={value}")
    return line


@dataclass(slots=True)
class _Log:
    """How to log: as the command line says."""

    level: str
    format: str
    file: str | None = None
    config: str | None = None
    """What the file contains, once it was read."""

    def read(self) -> bool:
        """Read the file; print what is wrong with it, and return whether nothing is."""
        from squids.supervisor.config.log_config import read_log_config

        found = read_log_config(os.path.abspath(str(self.file)), lambda _: None)
        for problem in found.problems:
            print_error(f"squids: --logging: {problem}")
        self.config = found.config
        return not found.problems


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the console script."""
    if sys.platform == "win32":
        print("squids: consumers need fork or unix sockets; on Windows use WSL", file=sys.stderr)
        return ExitCode.USAGE
    return run_command("squids", lambda: _main(argv))


def _main(argv: Sequence[str] | None) -> int:
    from squids.process.child import open_standard_streams
    from squids.process.pid1 import run_as_init_if_pid1

    open_standard_streams()
    faulthandler.enable(2)  # SIGABRT, as systemd sends it to end a hang, then shows where it hung.
    run_as_init_if_pid1()
    parser = build_parser()
    arguments = vars(parser.parse_args(argv))
    log = _Log(*(arguments.pop(name) for name in ("log_level", "log_format", "logging")))
    reload, local, port = (arguments.pop(name) for name in ("reload", "local", "local_port"))
    given = {name: value for name, value in arguments.items() if value != parser.get_default(name)}
    options = ConsumerOptions(**arguments)
    problems = _problems(options, reload, port)
    queue = _in_sqs(options.queue, problems)
    if problems:
        parser.error("; ".join(problems))
    if log.file is not None and not log.read():
        return ExitCode.CONFIG
    port = (port or 0) if local or port is not None else None
    server = None
    try:
        if reload:
            return _reload(given, queue, log, port)
        if port is not None:
            from squids.cli import local_sqs

            if (server := local_sqs.start(port, "squids")) is None:
                return ExitCode.FAILURE
            server.create([queue])
            local_sqs.print_endpoint(server)
        return _consume(options, log)
    except AppImportFailed as error:
        return _fail(f"importing the app failed:\n{error}", ExitCode.FAILURE)
    except ConfigurationError as error:
        return _fail(str(error), ExitCode.CONFIG)
    finally:
        if server is not None:
            server.stop()


def _problems(options: ConsumerOptions, reload: bool, port: int | None) -> list[str]:
    """Return why these options cannot be used, or not together."""
    problems = validate(options)
    if port is not None and not 0 <= port <= 65535:
        problems.append(f"--local-port: {port} is not a port")
    if reload and options.exit_when_empty:
        problems.append("--reload runs until it is stopped, and cannot be combined with --exit-when-empty")
    if reload and options.workers == 0:
        problems.append("--reload starts new workers, and cannot be combined with --workers 0")
    return problems


def _in_sqs(queue: str, problems: list[str]) -> str:
    """Return what the queue is called in SQS, as far as the environment says; add what is wrong with it."""
    try:
        names = QueueNames.of(None, None, os.environ)
    except ConfigurationError as error:
        problems.append(str(error))
        return queue
    try:
        names.ref(queue)
    except ValueError as error:
        problems.append(f"--queue: {error}")
    return names.of_sqs(queue)


def _reload(given: dict[str, Any], queue: str, log: _Log, port: int | None) -> int:
    """Run the queue under a supervisor."""
    from squids.process.signals import ignore_requests

    hangup = ignore_requests()  # The imports below take longer than a signal.
    from squids.cli.run_supervisor import ConfigSource, Mode, run
    from squids.supervisor.settings import AppSpec, ProgramSettings, Settings, SupervisorSettings

    preload = given.pop("preload", True)
    app_spec = AppSpec(app=given.pop("app"), directory=os.getcwd(), preload=preload, logging=log.config)
    name = QueueRef.parse(given["queue"]).name
    program = ProgramSettings(
        name, name, app_spec, tuple(sorted(given.items())), sqs_queue=queue, log_level=log.level
    )
    settings = Settings(SupervisorSettings(log_format=log.format, log_level=log.level), (program,))
    source = ConfigSource(lambda: settings, f"{name} --reload", program="squids")
    return run(source, Mode(reload=True, local=port), hangup)


def _consume(options: ConsumerOptions, log: _Log) -> int:
    from squids.pool import consumer_main, preload
    from squids.pool.local_queue import create_if_renamed
    from squids.process import log_setup
    from squids.process.child import set_title
    from squids.process.forkable import sockets_open, unforkable_since
    from squids.process.sd_notify import Notifier

    notifier = Notifier.take(os.environ)  # Before there are children.
    log_setup.configure(log.level, log.format)
    sockets = sockets_open()
    app = preload.load({"app": options.app, "logging": log.config, "directory": os.getcwd()})
    unforkable = unforkable_since(sockets)
    queue = app.queue_ref(options.queue)
    log_setup.adopt_application(log.level)
    settings = replace(consumer_main.settings_of(options, queue), log_level=log.level, log_style=log.format)
    client = consumer_main.client_of(app, settings)
    if options.workers == 0:
        from squids.pool import foreground

        create_if_renamed(app, options.queue)

        set_title(f"squids: {queue.name} main")
        return foreground.run(app, options, settings, client, notifier=notifier)
    preload.tell_ports()
    zygote = consumer_main.start_zygote(app, options, settings, client, unforkable, log.config)
    create_if_renamed(app, options.queue)
    set_title(f"squids: {queue.name} main")
    return consumer_main.run(app, options, settings, client, zygote, notifier=notifier)


def _fail(text: str, code: ExitCode) -> int:
    print_error(f"squids: {text}")
    return code


class _ShowVersion(argparse.Action):
    """Shows the version and exits."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        parser.exit(show_version("squids"))


def _add(parser: argparse.ArgumentParser, option: Option, required: bool) -> None:
    flag = "--" + option.name.replace("_", "-")
    if option.kind is bool and option.default:
        flag = "--no-" + option.name.replace("_", "-")
        parser.add_argument(flag, dest=option.name, action="store_false", help=option.help)
    elif option.kind is bool:
        parser.add_argument(flag, action="store_true", help=option.help)
    else:
        default = f"; default: {option.default_text}" if option.default_text else ""
        parser.add_argument(
            flag,
            type=option.kind,
            default=option.default,
            required=required,
            metavar=option.metavar,
            help=f"{option.help}{option.in_command}{default}",
        )
