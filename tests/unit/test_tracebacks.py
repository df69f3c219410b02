"""What an exception says is bounded, whatever the exception is."""

from __future__ import annotations

import pytest

from squids.bounds import ERROR, TRACEBACK, cut
from squids.tracebacks import MAX_FRAMES, error_line, traceback_of

ROOM = 64
"""Characters for the number of those that are missing."""


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


def told(error: BaseException) -> tuple[str, str]:
    return error_line(error), traceback_of(error, error.__traceback__)


def test_a_long_text_keeps_its_head_and_its_tail():
    """And says how much is missing. A short one is as it was."""
    assert cut("abc", 3) == "abc"
    text = cut("a" * 500 + "z" * 500, 100)
    assert text.startswith("aaa")
    assert text.endswith("zzz")
    assert " (900 more characters) " in text


class Raises(Exception):
    def __str__(self) -> str:
        raise SystemExit("no text")


class NoText(Exception):
    def __str__(self) -> str:
        return None


class Hostile(str):
    def _fail(self, *_: object) -> str:
        raise RuntimeError

    __add__ = __radd__ = __format__ = strip = replace = __len__ = __getitem__ = _fail


class HostileText(Exception):
    def __str__(self) -> str:
        return Hostile("said")


class HostileGroup(ExceptionGroup):
    @property
    def exceptions(self):
        raise RuntimeError


def large_group() -> BaseException:
    return ExceptionGroup("many", [ValueError(number) for number in range(100_000)])


def long_chain() -> BaseException:
    last: BaseException = ValueError("first")
    for number in range(10_000):
        error = ValueError(number)
        error.__cause__ = last
        last = error
    return last


def noted() -> BaseException:
    error = ValueError("x")
    error.__notes__ = ["n" * 1000] * 10_000
    return error


@pytest.mark.parametrize(
    "error",
    [
        lambda: ValueError("x" * 64 * 1024 * 1024),
        lambda: ValueError("line\n" * 1_000_000),
        Raises,
        NoText,
        HostileText,
        lambda: HostileGroup("group", [ValueError("x")]),
        large_group,
        long_chain,
        noted,
        lambda: SyntaxError("x", ("file", "no line", "no offset", 3)),
        lambda: SyntaxError("x", ("file", 1, 1, "x" * 10_000_000)),
        lambda: type("T" * 1_000_000, (Exception,), {})("x"),
    ],
)
def test_any_exception_is_told_in_bounds(error):
    """A result always fits a frame, and telling of a failure never fails."""
    line, traceback = told(raised(error()))
    assert 0 < len(line) <= ERROR + ROOM
    assert 0 < len(traceback) <= TRACEBACK + ROOM
    assert "\n" not in line


def test_what_is_cut_is_the_middle():
    """The type in front, the end at the end."""
    line, traceback = told(raised(ValueError("a" * 100_000 + " the end")))
    assert line.startswith("ValueError: aaa")
    assert line.endswith("the end")
    assert "more characters" in line
    assert traceback.startswith("Traceback (most recent call last):")
    assert traceback.rstrip().endswith("the end")


def test_of_a_large_group_the_first_members_are_named():
    """All of them would be a text of many megabytes."""
    line, traceback = told(raised(large_group()))
    assert line == "ExceptionGroup: many (100000 sub-exceptions)"
    assert "  1: ValueError: 0\n" in traceback
    assert "and 99990 more exceptions" in traceback


def test_of_a_deep_recursion_the_innermost_frames_are_told():
    """Here two functions in turn, which the standard library does not shorten."""

    def even(number: int) -> None:
        if not number:
            raise ValueError("deep")
        odd(number - 1)

    def odd(number: int) -> None:
        even(number - 1)

    with pytest.raises(ValueError) as caught:
        even(600)
    traceback = traceback_of(caught.value, caught.value.__traceback__)
    assert "ValueError: deep" in traceback
    assert len(traceback) <= TRACEBACK + ROOM
    assert traceback.count("  File ") <= MAX_FRAMES


def test_an_exception_of_the_usual_kind_is_told_as_ever():
    """With its cause, its module, its notes."""

    class Mine(Exception):
        pass

    error = Mine("outer")
    error.__cause__ = raised(KeyError("inner"))
    error.add_note("a note")
    line, traceback = told(raised(error))
    assert line == f"{__name__}.{Mine.__qualname__}: outer"
    assert "KeyError: 'inner'" in traceback
    assert "direct cause" in traceback
    assert traceback.endswith("a note\n")
