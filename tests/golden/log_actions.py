"""The `action` of every log line and event, with its level where the level is fixed."""

from __future__ import annotations

import ast
import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import squids
from squids.job import JobAction
from squids.pool.actions import Notice
from squids.pool.log_events import level_of
from squids.supervisor.events import EventKind, state_changed
from squids.supervisor.program.events import ProgramState

SOURCES = Path(squids.__file__).parent
PARTS = {"pool": "pool", "supervisor": "supervisor", "cli": "supervisor"}
"""Whose log it is, by the folder below squids/; the rest is the library."""

ENUMS = {"Notice": Notice, "EventKind": EventKind, "JobAction": JobAction}
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOG_METHODS = {level.lower(): level for level in LEVELS} | {"exception": "ERROR"}
VARIES = "varies"


def log_actions() -> str:
    """A line for each action of the pool, the supervisor and the library: who, action, levels."""
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for kind in EventKind:
        found["supervisor", kind.value] |= set()
    for notice in Notice:
        levels = {level_of(notice, start_trouble=on) for on in (False, True)}
        found["pool", notice.value] |= {logging.getLevelName(level) for level in levels}
    for state in ProgramState:
        event = state_changed("program", state, "", None)
        found["supervisor", event.kind.value].add(event.level)
    for path in SOURCES.rglob("*.py"):
        part = PARTS.get(path.relative_to(SOURCES).parts[0], "library")
        for node in ast.walk(ast.parse(path.read_text())):
            for action, levels in sightings(node):
                found[part, action] |= levels
    return "\n".join(f"{part} {action} {_shown(levels)}" for (part, action), levels in sorted(found.items()))


def sightings(node: ast.AST) -> Iterator[tuple[str, set[str]]]:
    """The actions that a call or a `case` names, with the levels that it gives them.

    It looks for a member of an enum of `ENUMS` in a call or a pattern; for a word behind a level, as in
    `say("INFO", "started", ...)`; and for `extra={"action": "started"}` of a logger's method. A level is a
    name of `LEVELS`, `logging.INFO`, a logger's method, or a variable named `level`.
    """
    if isinstance(node, ast.match_case):
        inside = [part for statement in node.body for part in ast.walk(statement)]
        levels = set(_levels(inside)) - {VARIES}
        yield from ((action, levels) for action in _members(ast.walk(node.pattern)))
    elif isinstance(node, ast.Call):
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        levels = set(_levels(_branches(arguments))) or set(_level_of_method(node.func))
        actions = [*_members(_branches(arguments)), *_in_extra(arguments)] or _behind_a_level(node.args)
        yield from ((action, levels) for action in actions)


def _branches(expressions: Iterable[ast.AST]) -> list[ast.AST]:
    """The expressions; of `a if b else c`, a and c."""
    found: list[ast.AST] = []
    for expression in expressions:
        found += [expression.body, expression.orelse] if isinstance(expression, ast.IfExp) else [expression]
    return found


def _levels(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        match node:
            case ast.Constant(value=str(level)) | ast.Attribute(value=ast.Name(id="logging"), attr=level):
                if level in LEVELS:
                    yield level
            case ast.Name(id="level"):
                yield VARIES


def _level_of_method(function: ast.AST) -> Iterator[str]:
    match function:
        case ast.Attribute(value=ast.Name(id="log"), attr=method) if method in LOG_METHODS:
            yield LOG_METHODS[method]


def _members(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        match node:
            case (
                ast.Attribute(value=ast.Name(id=enum), attr=name)
                | ast.Attribute(value=ast.Attribute(value=ast.Name(id=enum), attr=name), attr="value")
            ) if enum in ENUMS:
                yield str(ENUMS[enum][name].value)


def _in_extra(arguments: Iterable[ast.AST]) -> Iterator[str]:
    for argument in arguments:
        if isinstance(argument, ast.Dict):
            for key, value in zip(argument.keys, argument.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "action":
                    yield from [*_members(_branches([value])), *_words([value])]


def _behind_a_level(arguments: list[ast.expr]) -> Iterator[str]:
    for before, argument in pairwise(arguments):
        if set(_levels(_branches([before]))):
            yield from _words([argument])


def _words(expressions: Iterable[ast.AST]) -> Iterator[str]:
    for node in _branches(expressions):
        if isinstance(node, ast.Constant) and re.fullmatch(r"[a-z][a-z_]*", str(node.value)):
            yield str(node.value)


def _shown(levels: set[str]) -> str:
    return VARIES if VARIES in levels or not levels else " ".join(sorted(levels, key=LEVELS.index))
