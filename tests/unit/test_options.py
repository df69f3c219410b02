"""One list of options, from which all others derive."""

from dataclasses import fields

import pytest

from squids.options import OPTIONS, ConsumerOptions, validate


def test_the_list_and_the_values_agree():
    """Names, order aside, and defaults are the same in the list and in the dataclass."""
    known = {field.name: field.default for field in fields(ConsumerOptions)}
    assert {option.name for option in OPTIONS} == set(known)
    for option in OPTIONS:
        if not option.required:
            assert known[option.name] == option.default


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"workers": -1}, "--workers"),
        ({"visibility_timeout": 43_200}, "--visibility-timeout"),
        ({"polling_wait_time": 21}, "--polling-wait-time: 21 is not between 0 and 20"),
        ({"shutdown_timeout": -1}, "--shutdown-timeout"),
        ({"retry_delay": 10, "retry_max_delay": 5}, "--retry-max-delay"),
        ({"shutdown_timeout": float("inf")}, "--shutdown-timeout"),
    ],
)
def test_what_is_out_of_range_is_named(change, says):
    """Each wrong value has its option's name."""
    (problem,) = validate(ConsumerOptions(queue="q", app="a.b", **change))
    assert says in problem


def test_all_problems_are_told_at_once():
    """Nobody mends one mistake to be told of the next."""
    assert len(validate(ConsumerOptions("q", "a.b", workers=0, prefetch=0))) == 2


def test_the_defaults_are_valid():
    """A consumer without options has none that is wrong."""
    assert validate(ConsumerOptions("q", "a.b")) == []
