"""The parser of `squids-supervisor`, made from the table of verbs.

Imports little, because each verb needs it.
"""

from __future__ import annotations

import argparse
from typing import Any

from squids.hints import as_word, did_you_mean
from squids.printable import printable
from squids.supervisor.control.verbs import COMMANDS, GROUPS, LONGEST_TIMEOUT, PORT, TRUST, Argument, Verb

DESCRIPTION = "Run a pooled consumer for each queue of a file, or steer a supervisor."

EPILOG = """\
Queues are named as in the file; 'email*' selects several; none means all.

Exit codes of verbs: 0 done, 1 failed, 2 usage, 3 (status) a queue is not in
its desired state, 4 no supervisor is reachable, 5 unknown queue, 124 timed out.
Exit codes of the supervisor: 0 stopped, 69 gave up because of exit_on,
75 another supervisor of this file is running, 78 the file is invalid.
"""

SUPPRESS: Any = argparse.SUPPRESS


class _Parser(argparse.ArgumentParser):
    """Takes no abbreviated options: a new option would break a script that shortens an older one."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(allow_abbrev=False, **keywords)


class _CommandParser(_Parser):
    """Lists the verbs in its help, which is built on demand, as most calls show none."""

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Reject an unknown verb with a hint. argparse would list all verbs."""
        if action.dest == "verb" and value not in COMMANDS:
            hint = did_you_mean(value, COMMANDS, f"known verbs: {', '.join(COMMANDS)}")
            raise argparse.ArgumentError(None, f"unknown verb {as_word(printable(value))}; {hint}")
        super()._check_value(action, value)

    def format_help(self) -> str:
        self.description = f"{DESCRIPTION}\n\n{_verbs_by_group()}"
        return super().format_help()


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the command and its verbs."""
    parser = _CommandParser(
        prog="squids-supervisor",
        usage="%(prog)s [-c FILE] [OPTION ...] [VERB ...]",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        help="Default: $SQUIDS_CONFIG, ./squids.yaml, /etc/squids/squids.yaml",
    )
    _add(parser, TRUST)
    parser.add_argument("--version", action="store_true", help="Show the version and exit")
    _add_modes(parser)
    parser.set_defaults(trust_files=False, reload=False, local=False, local_port=None, dev=False)
    verbs = parser.add_subparsers(
        dest="verb",
        metavar="VERB",
        help=SUPPRESS,
        prog="squids-supervisor",
        parser_class=_Parser,
    )
    for verb in COMMANDS.values():
        _add_verb(verbs, verb)
    return parser


def _verbs_by_group() -> str:
    """Return one help line per verb, as wide as the terminal."""
    import shutil
    import textwrap

    columns = min(shutil.get_terminal_size().columns, 100) - 2
    lines = []
    for group, title in GROUPS.items():
        lines.append(f"{title}:")
        for verb in COMMANDS.values():
            if verb.group == group:
                lines += textwrap.wrap(f"  {verb.name:<11} {verb.help}", columns, subsequent_indent=" " * 14)
    return "\n".join(lines)


def _add_verb(verbs: Any, verb: Verb) -> None:
    parser = verbs.add_parser(verb.name, help=verb.help, description=f"{verb.help}.")
    for argument in verb.arguments:
        _add(parser, argument)
    if verb.name == "run":
        _add_modes(parser)
        _add(parser, TRUST)
    elif verb.name == "systemd":
        _add_systemd(parser)


def _add(parser: Any, argument: Argument) -> None:
    """Add an argument. A flag that may also precede the verb has no default, which would override it."""
    keywords: dict[str, Any] = {"help": argument.help}
    if argument.kind == "flag":
        keywords["action"] = "store_true"
    else:
        keywords["type"] = KINDS[argument.kind]
        keywords["metavar"] = argument.metavar
    if argument in (TRUST, PORT):
        keywords["default"] = SUPPRESS
    elif argument.default is not None:
        keywords["default"] = argument.default
    if argument.choices is not None:
        keywords["choices"] = argument.choices
    if argument.nargs is not None:
        keywords["nargs"] = argument.nargs
    if not argument.positional:
        keywords["dest"] = argument.dest
    parser.add_argument(*argument.flags, **keywords)


def _add_modes(parser: argparse.ArgumentParser) -> None:
    """Add the modes of the supervisor, without defaults, since they may precede or follow `run`."""
    modes = parser.add_argument_group("development")
    flag: dict[str, Any] = {"action": "store_true", "default": SUPPRESS}
    modes.add_argument("--reload", **flag, help="Run changed code as soon as it is saved")
    modes.add_argument("--local", **flag, help="Use a local SQS with the file's queues, and no other")
    _add(modes, PORT)
    modes.add_argument("--dev", **flag, help="--local --reload, short waits, one worker for each queue")


def _add_systemd(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    install = actions.add_parser("install", help="Write the units, and show what changes")
    show = actions.add_parser("print", help="Print the units, for configuration management")
    for action in (install, show):
        # Not the -c of the command, whose defaults are other paths.
        action.add_argument("--user", metavar="NAME", help="The user of the service; default: squids")
        action.add_argument(
            "--config", dest="unit_config", metavar="FILE", help="Default: /etc/squids/squids.yaml"
        )
        action.add_argument(
            "--instance", metavar="NAME", help="squids-supervisor@NAME, with /etc/squids/NAME.yaml"
        )
    uninstall = actions.add_parser("uninstall", help="Stop the services, and remove what install wrote")
    for action in (install, uninstall):
        action.add_argument(
            "--dry-run", action="store_true", help="Show what would change, and change nothing"
        )
    for action in (install, show, uninstall):
        action.add_argument(
            "--user-mode", action="store_true", help="For `systemctl --user`, below ~/.config"
        )


# Converters of arguments.


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a port, not {text}")
    return int(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a positive integer, not {text}")
    return int(text)


def _seconds(text: str) -> float:
    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1)
    try:
        seconds = float(number) * unit
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < LONGEST_TIMEOUT:
        raise argparse.ArgumentTypeError(f"expected a time such as 30, 30s or 5m, not {text}")
    return seconds


KINDS: dict[str, Any] = {
    "text": str,
    "queue": str,
    "port": _port,
    "positive": _positive,
    "seconds": _seconds,
}
