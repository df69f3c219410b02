"""Which programs a request means, and how it says how long and which signal."""

from __future__ import annotations

import itertools
import signal
from typing import Any

import pytest

from squids.exit_codes import NO_SUCH_NAME, USAGE
from squids.supervisor.control.selection import (
    LONGEST_GLOB,
    MAX_GLOBS,
    Request,
    RequestRefused,
    selected,
)
from squids.supervisor.program.machine import Program
from squids.supervisor.settings import AppSpec, ProgramSettings

SPEC = AppSpec("shop:app", "/srv")


def programs(*names: str) -> dict[str, Program]:
    numbers = itertools.count(1)
    return {
        name: Program(
            ProgramSettings(name, name.partition(":")[0], SPEC, (("queue", name),)), next(numbers), numbers
        )
        for name in names
    }


KNOWN = programs("emails", "reports:1", "reports:2", "odd[1]")


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        ([], ["emails", "reports:1", "reports:2", "odd[1]"]),
        (["emails"], ["emails"]),
        (["reports"], ["reports:1", "reports:2"]),
        (["reports:2", "reports"], ["reports:2", "reports:1"]),
        (["*:1", "emails", "emails"], ["reports:1", "emails"]),
        (["odd[1]"], ["odd[1]"]),
    ],
)
def test_names_keys_and_globs_select_each_program_once(patterns: list[str], found: list[str]) -> None:
    """A name that looks like a glob is itself."""
    assert selected(KNOWN, patterns) == found


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("emials", "unknown queue emials; did you mean emails?"),
        ("", 'unknown queue ""; known queues: emails, reports:1, reports:2, odd[1]'),
        ("a b", 'unknown queue "a b"; known queues: emails, reports:1, reports:2, odd[1]'),
        ("x", "unknown queue x; known queues: emails, reports:1, reports:2, odd[1]"),
        ("y*", "unknown queue y*; known queues: emails, reports:1, reports:2, odd[1]"),
    ],
)
def test_an_unknown_queue_is_refused_with_what_was_meant(pattern: str, text: str) -> None:
    with pytest.raises(RequestRefused) as refused:
        selected(KNOWN, [pattern])
    assert (str(refused.value), refused.value.code) == (text, NO_SUCH_NAME)


def test_all_of_no_programs_is_none() -> None:
    assert selected({}, ["*"]) == []


@pytest.mark.parametrize("patterns", [[f"{n}*" for n in range(MAX_GLOBS + 1)], ["*" * (LONGEST_GLOB + 1)]])
def test_globs_are_bounded(patterns: list[str]) -> None:
    """They are matched between other work of the supervisor."""
    with pytest.raises(RequestRefused) as refused:
        selected(KNOWN, patterns)
    assert refused.value.code == USAGE


def request(**options: Any) -> Request:
    return Request("stop", [], options)


def test_a_timeout_is_seconds_or_none() -> None:
    assert request().timeout() is None
    assert request(timeout=0).timeout() == 0.0
    for wrong in ("5", -1, 1e9, float("nan")):
        with pytest.raises(RequestRefused):
            request(timeout=wrong).timeout()


@pytest.mark.parametrize("name", ["usr1", "SIGUSR1", "USR1", str(int(signal.SIGUSR1))])
def test_a_signal_has_many_names(name: str) -> None:
    assert request(signal=name).signal() == signal.SIGUSR1
    with pytest.raises(RequestRefused, match="unknown signal nine"):
        request(signal="nine").signal()


def test_a_count_is_a_number_from_one() -> None:
    assert request().positive("lines", 50) == 50
    assert request(lines=3).positive("lines", 50) == 3
    for wrong in (0, -1, "3", 1.5):
        with pytest.raises(RequestRefused):
            request(lines=wrong).positive("lines", 50)
