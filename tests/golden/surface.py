"""What others depend on, as text: each function makes one of the files in `expected/`.

Others are scripts that read `status --json`, alerts that go by a log's `action`, deployments that go by exit codes,
messages in queues, files that were written once. To accept a change: `python -m tests.golden.surface`, and a line in
CHANGELOG.md.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import squids
from squids import exit_codes, wire
from squids.cli import consume
from squids.cli.parser import build_parser
from squids.pool.actions import Notice
from squids.supervisor.config.rules import FileRules
from squids.supervisor.control.verbs import REMOTE
from squids.supervisor.events import EventKind

ROOT = Path(squids.__file__).parent
EXPECTED = Path(__file__).parent / "expected"


def exit_codes_of_commands() -> str:
    codes = {f"ExitCode.{code.name}": int(code) for code in exit_codes.ExitCode}
    verbs = {
        name: code for name, code in vars(exit_codes).items() if name.isupper() and isinstance(code, int)
    }
    own = {f"{verb.name}: {sorted(verb.codes)}" for verb in REMOTE.values() if verb.codes}
    return _lines([*(f"{name} {code}" for name, code in (codes | verbs).items()), *own])


def messages() -> str:
    """The bodies that are in queues now, or will be."""
    calls: list[tuple[str, list[Any], dict[str, Any]]] = [
        ("shop.email_customer", [], {}),
        ("shop.email_customer", ["ada@example.com", 1, 2.5, None, True], {}),
        ("shop.email_customer", [], {"to": "ada@example.com", "lines": [{"sku": "A", "count": 2}]}),
        ("shop.grüße", ["€ 5"], {"naïve": "ünïcode \u2028"}),
    ]
    return "\n".join(wire.encode(*call) for call in calls)


def log_actions() -> str:
    """Of the pool, of the library and of the supervisor."""
    found = {notice.value for notice in Notice} | {kind.value for kind in EventKind}
    for path in ROOT.rglob("*.py"):
        found |= set(_literal_actions(ast.parse(path.read_text())))
    return _lines(found)


def _literal_actions(tree: ast.AST) -> Iterator[str]:
    """`{"action": "x"}` of a log call, and the second argument of a narrator's `_say(level, "x", text)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if (
                    isinstance(key, ast.Constant)
                    and key.value == "action"
                    and isinstance(value, ast.Constant)
                ):
                    yield str(value.value)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_say" and len(node.args) > 1:
            action = node.args[1]
            if isinstance(action, ast.Constant):
                yield str(action.value)


def keys_of_the_file() -> str:
    """Each key with its default: what a file means that does not say more."""
    return "\n".join(_keys(FileRules, ""))


def _keys(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in sorted(model.model_fields.items()):
        default = "required" if field.is_required() else json.dumps(field.default, default=_plain)
        if isinstance(field.default, BaseModel):
            default = "see below"
        yield f"{prefix}{name} = {default}"
        for below in _models_in(field.annotation):
            yield from _keys(below, f"{prefix}{name}.")


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    found: list[type[BaseModel]] = []
    for argument in getattr(annotation, "__args__", ()):
        found += [model for model in _models_in(argument) if model not in found]
    return found


def _plain(value: object) -> object:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else str(value)


def helps() -> str:
    """The help of both commands and of each verb. How lines are filled depends on the version of Python."""
    os.environ["COLUMNS"] = "80"
    parsers = {"squids": consume.build_parser(), "squids-supervisor": build_parser()}
    parsers |= _verbs(parsers["squids-supervisor"], "squids-supervisor")
    return "\n\n".join(f"# {name} --help\n{_words(parser.format_help())}" for name, parser in parsers.items())


def _verbs(parser: argparse.ArgumentParser, prefix: str) -> dict[str, argparse.ArgumentParser]:
    found: dict[str, argparse.ArgumentParser] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                found[f"{prefix} {name}"] = below
                found |= _verbs(below, f"{prefix} {name}")
    return found


def _words(text: str) -> str:
    """A sentence or an option a line, however argparse filled them. 3.13 writes `-f, --file FILE`."""
    text = re.sub(r"(-\w) (\S+), (--[\w-]+) \2", r"\1, \3 \2", text)
    paragraphs = re.split(r"\n(?=\n|  -|[A-Za-z]+:|  \w)", text)
    return "\n".join(line for line in (" ".join(part.split()) for part in paragraphs) if line)


def _lines(found: Any) -> str:
    return "\n".join(sorted(found))


SURFACES: dict[str, Callable[[], str]] = {
    "exit_codes.txt": exit_codes_of_commands,
    "messages.txt": messages,
    "log_actions.txt": log_actions,
    "keys_of_the_file.txt": keys_of_the_file,
    "help.txt": helps,
}


if __name__ == "__main__":
    for name, make in SURFACES.items():
        (EXPECTED / name).write_text(make() + "\n")
