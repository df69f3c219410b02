"""What a person reads: the help of the command and of each verb, in 80 columns."""

from __future__ import annotations

import argparse

import pytest

from squids.cli.consume import build_parser as consumer_parser
from squids.cli.parser import build_parser
from squids.options import OPTIONS
from squids.supervisor.control.verbs import COMMANDS, GROUPS


def parser_of(verb: str) -> argparse.ArgumentParser:
    (verbs,) = [a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction)]
    found: argparse.ArgumentParser = verbs.choices[verb]
    return found


@pytest.fixture(autouse=True)
def eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.mark.parametrize("verb", COMMANDS)
def test_the_help_of_a_verb_fits_and_names_the_command(verb: str) -> None:
    text = parser_of(verb).format_help()
    assert text.startswith(f"usage: squids-supervisor {verb} ")
    assert max(map(len, text.splitlines())) <= 80


def test_the_help_shows_each_verb_below_its_group() -> None:
    text = build_parser().format_help()
    assert max(map(len, text.splitlines())) <= 80
    titles = [line.rstrip(":") for line in text.splitlines() if line.endswith(":") and line[0].isupper()]
    assert [title for title in titles if title in GROUPS.values()] == list(GROUPS.values())
    for verb in COMMANDS.values():
        assert f"  {verb.name:<11} {verb.help}" in text


def test_the_help_of_the_consumer_breaks_no_url() -> None:
    """One was on three lines, and could not be copied. No other line is too long."""
    lines = consumer_parser().format_help().splitlines()
    urls = {word for option in OPTIONS for word in option.help.rstrip(".").split() if "://" in word}
    assert urls
    for url in urls:
        assert any(url in line for line in lines)
    assert [line for line in lines if len(line) > 80 and "://" not in line] == []


def test_the_help_of_the_consumer_fits_and_lists_no_numbers() -> None:
    text = consumer_parser().format_help()
    assert "{0,1,2" not in text
    assert "--polling-wait-time 0-20" in text
