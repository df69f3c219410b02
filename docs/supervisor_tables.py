"""Write the tables of configuration.md, steering.md and program-states.md from the code that they describe.

Run it after a change of keys, verbs or a program's states: `.venv/bin/python docs/supervisor_tables.py`.
Tests compare the two.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from squids.supervisor.config.rules import (
    BackoffRules,
    FileRules,
    LogFileRules,
    MaxRestartsRules,
    QueueRules,
    ReloadRules,
    SupervisorRules,
)
from squids.supervisor.control.verbs import COMMANDS, JSON, JSON_LINES, Argument
from squids.supervisor.program.events import ProgramState
from squids.supervisor.program.rules import RULES

HERE = Path(__file__).parent
BEGIN = "<!-- {}: made by docs/supervisor_tables.py -->\n"
END = "<!-- end of {} -->\n"

TOP = ("include", "supervisor", "reload", "defaults", "queues")
"""Keys that stand at the top only."""


def rows_of(model: Any, prefix: str = "") -> list[tuple[str, str, str]]:
    """Each key: its name, default and meaning."""
    rows = []
    for name, field in model.model_fields.items():
        default = "" if field.is_required() else _shown(field.default)
        description = field.description or ""
        if default:  # It stands in a column of its own.
            description = re.sub(r" Defaults to [^.]*(\.\d)?[^.]*\.", "", description)
        description = re.sub(r"(https://\S+[^\s.])", r"<\1>", description).replace("|", "\\|")
        rows.append((f"`{prefix}{name}`", default, " ".join(description.split())))
    return rows


def _shown(value: Any) -> str:
    if value is None or value in ({}, []) or isinstance(value, BaseModel):
        return ""
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def keys_table() -> str:
    """Keys of a queue, or of `defaults`."""
    return _table(("key", "default", "what it is"), rows_of(QueueRules))


def parts_table() -> str:
    """Keys of those keys that hold several."""
    rows = rows_of(BackoffRules, "backoff.") + rows_of(MaxRestartsRules, "max_restarts.")
    return _table(("key", "default", "what it is"), rows + rows_of(LogFileRules, "log_file."))


def top_table() -> str:
    """Keys at the top."""
    rows = [row for row in rows_of(FileRules) if row[0].strip("`") in TOP]
    return _table(("key", "default", "what it is"), rows)


def supervisor_table() -> str:
    """Keys of `supervisor`."""
    rows = [
        (name, "`0600`" if name == "`socket_mode`" else default, text)
        for name, default, text in rows_of(SupervisorRules)
    ]
    return _table(("key", "default", "what it is"), rows)


def reload_table() -> str:
    """Keys of `reload`."""
    return _table(("key", "default", "what it is"), rows_of(ReloadRules))


def verbs_table() -> str:
    """The verbs, with their arguments and what `--json` prints."""
    rows = []
    for verb in COMMANDS.values():
        arguments = [a for a in verb.arguments if a not in (JSON, JSON_LINES)]
        called = " ".join([verb.name, *(_usage(a) for a in arguments if a.positional)])
        options = " ".join(f"`{_usage(a)}`" for a in arguments if not a.positional)
        has_json = len(arguments) < len(verb.arguments)
        rows.append(
            (f"`{called}`", verb.help, options, ("a line each" if verb.stream else "one") if has_json else "")
        )
    return _table(("verb", "what it does", "options", "`--json`"), rows)


def _usage(argument: Argument) -> str:
    name = argument.metavar or argument.dest
    if argument.positional:
        return f"[{name}]" if argument.nargs in ("*", "?") else name
    return argument.flags[0] if argument.kind == "flag" else f"{argument.flags[0]} {name}"


def states_table() -> str:
    """What happens on which event, in which states: a row for each rule."""
    rows = [
        (
            f"`{rule.event.__name__}`",
            "any" if len(rule.states) == len(ProgramState) else ", ".join(f"`{s.name}`" for s in rule.states),
            rule.text,
        )
        for rule in RULES
    ]
    return _table(("event", "in state", "what happens"), rows)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n".replace("|  |", "| |") for line in lines)


TABLES = {
    "configuration.md": {
        "top": top_table, "keys": keys_table, "parts": parts_table, "supervisor": supervisor_table,
        "reload": reload_table,
    },
    "steering.md": {"verbs": verbs_table},
    "program-states.md": {"states": states_table},
}  # fmt: skip


def page_with_tables(page: str, text: str) -> str:
    """A page's text, with its tables brought up to date."""
    for name, table in TABLES[page].items():
        before, begin, rest = text.partition(BEGIN.format(name))
        _, end, after = rest.partition(END.format(name))
        assert begin, f"{page} has no place for {name}"
        assert end, f"{page} has no end of {name}"
        text = f"{before}{begin}\n{table()}\n{end}{after}"
    return text


if __name__ == "__main__":
    for page in TABLES:
        path = HERE / page
        path.write_text(page_with_tables(page, path.read_text()))
