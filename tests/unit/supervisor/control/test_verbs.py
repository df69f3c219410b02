"""The table of verbs: what is made from it knows each of them."""

from __future__ import annotations

import inspect

import pytest

from squids.cli.parser import KINDS, build_parser
from squids.supervisor.control import commands, dispatch, queries
from squids.supervisor.control.verbs import COMMANDS, GROUPS, REMOTE, Verb


def test_each_verb_of_the_supervisor_is_one_function_and_each_public_function_a_verb() -> None:
    functions = {
        name: function
        for module in (queries, commands)
        for name, function in vars(module).items()
        if inspect.isfunction(function)
        and function.__module__ == module.__name__
        and not name.startswith("_")
    }
    assert functions == dispatch.FUNCTIONS
    assert not set(vars(queries)) & set(vars(commands)) & set(REMOTE)


@pytest.mark.parametrize("verb", COMMANDS.values(), ids=COMMANDS)
def test_a_verb_is_shown_and_its_arguments_can_be_parsed(verb: Verb) -> None:
    assert verb.group in GROUPS
    assert all(argument.kind in KINDS or argument.kind == "flag" for argument in verb.arguments)
    assert "Defaults to" not in build_parser().format_help()


@pytest.mark.parametrize("verb", REMOTE.values(), ids=REMOTE)
def test_what_looks_is_in_the_room_of_queries(verb: Verb) -> None:
    """`dump` is a query that the log mentions, since it signals processes."""
    in_commands = (
        hasattr(commands, verb.name) and dispatch.FUNCTIONS[verb.name].__module__ == commands.__name__
    )
    assert verb.changes == in_commands or verb.name == "dump"
