"""A breakpoint where no one can type."""

from __future__ import annotations

import bdb
import os
import subprocess
import sys

import pytest

from squids.process.no_terminal import HELP, explained

PROGRAM = """
import os, sys
sys.path.insert(0, os.getcwd())
from squids.process.no_terminal import refuse_breakpoints
chosen = lambda: print("the app's own")
if len(sys.argv) > 1:
    sys.breakpointhook = chosen
refuse_breakpoints()
try:
    breakpoint()
except Exception as error:
    print(type(error).__name__, error)
"""


def run(*arguments: str, chosen: str | None = None) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONBREAKPOINT"}
    if chosen is not None:
        environment["PYTHONBREAKPOINT"] = chosen
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize("chosen", [None, "", "pdb.set_trace"])
def test_it_fails_and_says_what_to_do(chosen):
    assert run(chosen=chosen) == f"RuntimeError breakpoint(): {HELP}\n"


def test_what_the_user_or_the_app_chose_stays():
    assert run(chosen="0") == ""
    assert run(chosen="os.getcwd") == ""
    assert run("app") == "the app's own\n"


def test_a_debugger_that_met_the_end_of_input_is_explained():
    """`pdb.set_trace()` does not go through the hook."""
    assert explained("BdbQuit", bdb.BdbQuit()) == f"BdbQuit: {HELP}"
    assert explained("ValueError: x", ValueError("x")) == "ValueError: x"
    assert explained("the task is not known", None) == "the task is not known"
