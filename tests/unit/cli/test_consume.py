"""The options of the `squids` command, as another command takes them and passes them on."""

from __future__ import annotations

import argparse

import pytest

from squids.cli.consume import add_options, arguments_of, build_parser

REQUIRED = ["--queue=emails", "--app=shop:app"]


@pytest.mark.parametrize("action", build_parser()._actions, ids=lambda action: action.dest)
def test_each_option_is_passed_on_as_it_was_given(action):
    """A flag, a choice, a number or a text."""
    if action.dest in ("help", "version", "queue", "app"):
        return
    values = {"workers": "3", "log_level": "DEBUG", "log_format": "json"}
    value = values.get(action.dest, "7")
    given = [
        *REQUIRED,
        *([action.option_strings[-1]] if action.nargs == 0 else [action.option_strings[-1], value]),
    ]
    parsed = vars(build_parser().parse_args(given))
    passed = arguments_of({**parsed, "another": "option"})
    assert len(passed) == 3
    assert vars(build_parser().parse_args(passed)) == parsed


def test_what_is_not_given_is_not_passed_on():
    assert arguments_of(vars(build_parser().parse_args(REQUIRED))) == REQUIRED


def test_options_may_be_optional_in_another_command(capsys):
    parser = argparse.ArgumentParser()
    add_options(parser, optional=("app",))
    assert parser.parse_args(["--queue=emails"]).app is None
    with pytest.raises(SystemExit):
        parser.parse_args(["--app=shop:app"])
    assert "required: --queue" in capsys.readouterr().err
