"""What a process of somebody else may say of itself, and what is no such thing."""

from __future__ import annotations

import pytest

from squids.process import checks

HUGE = pytest.param(10**5000, id="huge")
"""Python refuses to show so many digits."""


@pytest.mark.parametrize("value", [0, -1, 2**63 - 1, -(2**63) + 1])
def test_a_number_has_64_bits(value):
    checks.check_numbers(value)


@pytest.mark.parametrize("value", [True, 1.0, "1", None, [1], 2**63, -(2**63), HUGE])
def test_what_is_no_number_is_refused(value):
    """A bool is an int to Python, and not to who reads `status`."""
    with pytest.raises(ValueError, match="no number"):
        checks.check_numbers(0, value)


@pytest.mark.parametrize("value", [2, 4_194_304])
def test_a_pid_is_a_process(value):
    checks.check_pid(value)


@pytest.mark.parametrize("value", [1, 0, -1, -77, 2**31, True, 77.0, "77", None, HUGE])
def test_what_would_signal_others_is_no_pid(value):
    """0 and below mean many processes to kill(2), and 1 is init."""
    with pytest.raises(ValueError):
        checks.check_pid(value)


@pytest.mark.parametrize("value", [0, 0.0, 1.5, 253_402_300_799])
def test_seconds_are_those_of_a_calendar(value):
    checks.check_seconds(value)


@pytest.mark.parametrize(
    "value", [-0.1, float("nan"), float("inf"), 253_402_300_800, HUGE, True, "1", None, [1.0]]
)
def test_seconds_that_no_date_has_are_refused(value):
    """Whoever showed them would raise."""
    with pytest.raises(ValueError, match="no seconds"):
        checks.check_seconds(1.0, value)


@pytest.mark.parametrize("value", [b"x", 1, None, ["x"], type("Str", (str,), {})("x")])
def test_what_is_no_text_is_refused(value):
    """Not even a kind of str, whose methods are somebody else's."""
    checks.check_text("", "x")
    with pytest.raises(ValueError, match="no text"):
        checks.check_text("x", value)


@pytest.mark.parametrize("value", [0, 1, None, "true"])
def test_what_is_no_bool_is_refused(value):
    checks.check_bools(True, False)
    with pytest.raises(ValueError, match="no bool"):
        checks.check_bools(True, value)


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (checks.check_list, [1], [(1,), {"a": 1}, "ab", None]),
        (checks.check_object, {"a": 1}, [[("a", 1)], "ab", None]),
    ],
)
def test_lists_and_objects_are_those_of_json(check, good, bad):
    assert check(good) is good
    for value in bad:
        with pytest.raises(ValueError):
            check(value)


@pytest.mark.parametrize(
    "check", [checks.check_text, checks.check_bools, checks.check_list, checks.check_object]
)
def test_an_error_shows_the_beginning_of_what_is_wrong(check):
    """It goes into a log, whose lines are not a stranger's to fill."""
    with pytest.raises(ValueError) as caught:
        check(("x" * 10_000,))
    assert len(str(caught.value)) < 60
