"""Decisions across programs: orders, and when the supervisor exits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from squids.supervisor.fleet import gives_up, start_order, stop_order
from squids.supervisor.program.events import ProgramState
from squids.supervisor.settings import (
    AppSpec,
    ExitOn,
    ProgramSettings,
)


def program(name, **changes):
    return replace(ProgramSettings(name, name, AppSpec("shop:app", "/srv"), (("queue", name),)), **changes)


def test_stops_are_told_in_the_reverse_of_the_order_of_starts():
    """By priority, then as in the file."""
    programs = [program("a", priority=1), program("b"), program("c", priority=1)]
    assert [p.name for p in start_order(programs)] == ["b", "a", "c"]
    assert [p.name for p in stop_order(programs)] == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("exit_on", "states", "gives"),
    [
        (ExitOn.NEVER, [ProgramState.FATAL, ProgramState.FATAL], False),
        (ExitOn.ESSENTIAL, [ProgramState.FATAL, ProgramState.RUNNING], True),
        (ExitOn.ESSENTIAL, [ProgramState.BACKOFF, ProgramState.FATAL], False),
        (ExitOn.ALL, [ProgramState.FATAL, ProgramState.RUNNING], False),
        (ExitOn.ALL, [ProgramState.FATAL, ProgramState.FATAL], True),
    ],
)
def test_when_the_supervisor_gives_up(exit_on, states, gives):
    """As exit_on says; here the first program is essential."""
    programs = [program("a", essential=True), program("b")]
    assert bool(gives_up(exit_on, zip(programs, states, strict=True))) is gives
