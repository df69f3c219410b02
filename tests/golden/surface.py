"""What others depend on, as text: exit codes, the keys of the file, the help."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from squids import exit_codes
from squids.cli import consume
from squids.cli.parser import build_parser
from squids.supervisor.config.schema import VARIABLE, json_schema
from squids.supervisor.control.verbs import REMOTE
from tests.golden.log_actions import log_actions
from tests.golden.wire import frames


def exit_codes_of_commands() -> str:
    codes = {f"ExitCode.{code.name}": int(code) for code in exit_codes.ExitCode}
    of_verbs = {
        name: code for name, code in vars(exit_codes).items() if name.isupper() and isinstance(code, int)
    }
    own = [f"{verb.name}: {sorted(verb.codes)}" for verb in REMOTE.values() if verb.codes]
    return "\n".join(sorted([*(f"{name} {code}" for name, code in (codes | of_verbs).items()), *own]))


# The keys of the file.


def keys_of_the_file() -> str:
    """`group.key: type = default`, from the file's JSON Schema."""
    schema = json_schema()
    return "\n".join(_keys(schema, schema["$defs"], ""))


def _keys(schema: dict[str, Any], models: dict[str, Any], prefix: str) -> Iterator[str]:
    for name, rule in sorted(schema["properties"].items()):
        yield f"{prefix}{name}: {_type(rule)} = {_default(rule)}"
        if model := _model(rule):
            yield from _keys(models[model], models, f"{prefix}{name}.")
        if model := _model(_named(rule)):
            yield from _keys(models[model], models, f"{prefix}{name}.NAME.")


def _default(rule: dict[str, Any]) -> str:
    if "default" not in rule:
        return "required"
    return (
        "below"
        if _model(rule) and rule["default"] is not None
        else json.dumps(rule["default"], sort_keys=True)
    )


def _type(rule: Any) -> str:
    """The words of the schema's types. Which of two comes first says nothing, and neither does a pattern.

    That a variable may stand there goes without saying.
    """
    match rule:
        case {"enum": values}:
            return "|".join(map(str, values))
        case {"anyOf": rules}:
            types = [_type(one) for one in rules if one != VARIABLE]
            words = {word for one in types for word in ([one] if "{" in one else one.split("|"))}
            return types[0] if len(types) == 1 else "|".join(sorted(words))
        case {"type": "array", "items": items}:
            return f"[{_type(items)}]"
        case {"type": "object", "additionalProperties": dict(values)}:
            return f"{{name: {_type(values)}}}"
        case {"type": word}:
            return str(word)
        case _:
            return "mapping"


def _named(rule: Any) -> Any:
    """What a mapping has under each of its names."""
    match rule:
        case {"anyOf": [*rules]}:
            return next(filter(None, map(_named, rules)), None)
        case {"additionalProperties": dict(values)}:
            return values
    return None


def _model(rule: Any) -> str | None:
    """The model that a rule refers to, of those in `$defs`."""
    match rule:
        case {"$ref": str(path)}:
            return path.rpartition("/")[2]
        case {"anyOf": [*rules]} | {"allOf": [*rules]}:
            return next(filter(None, map(_model, rules)), None)
    return None


# The help.


def helps() -> str:
    """Of both commands and of each verb, as wide as COLUMNS says."""
    parsers = {"squids": consume.build_parser(), "squids-supervisor": build_parser()}
    parsers |= _verbs(parsers["squids-supervisor"], "squids-supervisor")
    return "\n\n".join(f"# {name} --help\n{_lines(parser.format_help())}" for name, parser in parsers.items())


def _verbs(parser: argparse.ArgumentParser, prefix: str) -> dict[str, argparse.ArgumentParser]:
    found: dict[str, argparse.ArgumentParser] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                found[f"{prefix} {name}"] = below
                found |= _verbs(below, f"{prefix} {name}")
    return found


def _lines(text: str) -> str:
    """One line for each option or verb, in single spaces: how argparse fills lines depends on its version.

    Python 3.13 writes `-f, --file FILE` for `-f FILE, --file FILE`.
    """
    text = re.sub(r"\n {8,}", " ", text)
    text = re.sub(r"(-\w) (\S+), (--[\w-]+) \2", r"\1, \3 \2", text)
    return "\n".join(line for line in (" ".join(part.split()) for part in text.split("\n")) if line)


SURFACES: dict[str, Callable[[], str]] = {
    "exit_codes.txt": exit_codes_of_commands,
    "frames.txt": frames,
    "help.txt": helps,
    "keys_of_the_file.txt": keys_of_the_file,
    "log_actions.txt": log_actions,
}
"""Those that need no server, by the file in `expected/`."""
