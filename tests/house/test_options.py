"""No option is parsed and then ignored: each key of the file, setting and argument is read where it matters.

By name, from the source: a name that other values have, too, such as `path`, may pass unread.
"""

from __future__ import annotations

import argparse
import ast
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from types import ModuleType

import pytest
from pydantic import BaseModel

from squids import options
from squids.cli import consume, parser
from squids.pool import settings as of_pools
from squids.supervisor import settings as of_programs
from squids.supervisor.config import rules
from squids.supervisor.control import dispatch
from squids.supervisor.control.verbs import COMMANDS
from tests.house.modules import modules, tree
from tests.house.readers import Function, names_read, sources, taken, takers, texts

CONFIG = "squids.supervisor.config"
SUPERVISE = tree(modules()["squids.cli.supervise"])
CONSUME = tree(modules()["squids.cli.consume"])

REFUSES = ("_refuse_modes", "_failed")
"""Functions of the command that say why an argument is of no use: that is not a use."""


def classes_of(module: ModuleType) -> Iterator[type]:
    """The classes that a module itself defines."""
    return (
        value
        for value in vars(module).values()
        if isinstance(value, type) and value.__module__ == module.__name__
    )


def settings_in(module: ModuleType) -> set[str]:
    return {field.name for found in classes_of(module) if is_dataclass(found) for field in fields(found)}


def test_each_key_of_the_file_becomes_a_setting() -> None:
    """The rules define the keys, `problems` words errors about them: neither is a use."""
    keys = {key for found in classes_of(rules) if issubclass(found, BaseModel) for key in found.model_fields}
    read = names_read(sources(CONFIG, without=[rules.__name__, f"{CONFIG}.problems"]))
    of_consumers = {option.name for option in rules.CONSUMER_OPTIONS}  # One loop passes them all on.
    assert keys - of_consumers - read == set()


def test_each_setting_of_the_file_is_used() -> None:
    """To fill it in, and to compare it with an earlier one, is not to use it."""
    read = names_read(sources("squids.supervisor", "squids.cli", without=[of_programs.__name__, CONFIG]))
    assert settings_in(of_programs) - read == set()


def test_each_option_of_a_consumer_is_used() -> None:
    names = {field.name for field in fields(options.ConsumerOptions)}
    assert names - names_read(sources("squids.pool")) == set()
    assert {option.name for option in options.OPTIONS} == names


def test_each_setting_of_a_pool_is_used() -> None:
    read = names_read(sources("squids.pool", without=[of_pools.__name__]))
    assert settings_in(of_pools) - read == set()


def test_each_other_argument_of_squids_is_taken_out_of_what_it_was_given() -> None:
    """One that is not would be an option of the consumer, which does not know it."""
    others = arguments_of(consume.build_parser()) - {option.name for option in options.OPTIONS}
    assert others - texts([function(CONSUME, "_main")]) == set()


def test_each_argument_before_the_verb_is_used() -> None:
    assert arguments_of(parser.build_parser()) - taken_by_command([function(SUPERVISE, "_main")]) == set()


@pytest.mark.parametrize("verb", [verb.name for verb in COMMANDS.values() if verb.local])
def test_each_argument_of_a_verb_of_the_command_is_used(verb: str) -> None:
    assert arguments_of(parser_of(verb)) - taken_by_command(branch_of(verb)) == set()


@pytest.mark.parametrize("verb", [verb.name for verb in COMMANDS.values() if not verb.local])
def test_each_argument_of_a_verb_of_the_supervisor_is_used(verb: str) -> None:
    """All are sent, but --json, which is the client's; --no-wait is sent as what it denies."""
    carries_out = function(tree(modules()[dispatch.FUNCTIONS[verb].__module__]), verb)
    found = taken([carries_out], "request", known_takers("squids.supervisor.control", "request"))
    names = {"no_wait": "waits"}
    sent = arguments_of(parser_of(verb)) - {"json"}
    assert {names.get(name, name) for name in sent} - found == set()


def parser_of(verb: str) -> argparse.ArgumentParser:
    actions = parser.build_parser()._actions
    verbs = next(action for action in actions if isinstance(action, argparse._SubParsersAction))
    found: argparse.ArgumentParser = verbs.choices[verb]
    return found


def arguments_of(given: argparse.ArgumentParser) -> set[str]:
    """The names under which a parser, or one below it that is not a verb's, stores what it was given."""
    found = set()
    for action in given._actions:
        if isinstance(action, argparse._SubParsersAction) and action.dest != "verb":
            found |= set().union(*map(arguments_of, action.choices.values()))
        if not isinstance(action, argparse._HelpAction | consume._ShowVersion):
            found.add(action.dest)
    return found


def taken_by_command(code: list[ast.AST]) -> set[str]:
    return taken(code, "arguments", known_takers("squids.cli", "arguments"), but_by=REFUSES)


@cache
def known_takers(room: str, parameter: str) -> dict[str, Function]:
    return takers(sources(room), parameter)


def branch_of(verb: str) -> list[ast.AST]:
    """What the command does for a verb that it carries out itself; nothing if it needs no arguments."""
    for node in ast.walk(function(SUPERVISE, "_command")):
        if isinstance(node, ast.match_case) and verb in texts([node.pattern]):
            return list(node.body)
    return []


def function(of: ast.Module, name: str) -> Function:
    return next(node for node in of.body if isinstance(node, Function) and node.name == name)
