"""Times, sizes, permission bits and limits, as people write them."""

from __future__ import annotations

from typing import Any

import pytest

from squids.supervisor.config.scalars import (
    MAX_BYTES,
    MAX_SECONDS,
    checked_limits,
    duration,
    limit,
    octal,
    shown,
    size,
    whole_seconds,
)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (30, 30.0),
        (0.5, 0.5),
        ("30", 30.0),
        ("30s", 30.0),
        (" 5 m ", 300.0),
        ("1.5h", 5400.0),
        ("250ms", 0.25),
        ("2d", 172800.0),
        (MAX_SECONDS, float(MAX_SECONDS)),
    ],
)
def test_times_are_seconds_or_have_a_unit(written: Any, seconds: float) -> None:
    found = duration(written)
    assert (found, type(found)) == (seconds, float)


@pytest.mark.parametrize("written", ["5 minutes", "m", "-5s", "1,5h", "", True, None, [], "1e3"])
def test_what_is_no_time_is_refused_with_an_example(written: Any) -> None:
    with pytest.raises(ValueError, match="expected a time such as 30, 30s or 5m, not "):
        duration(written)


@pytest.mark.parametrize("written", [MAX_SECONDS + 1, "11000d", float("nan"), float("inf"), "9" * 400])
def test_a_time_that_no_clock_takes_is_refused(written: Any) -> None:
    with pytest.raises(ValueError, match="at most 30 years"):
        duration(written)


def test_where_sqs_counts_whole_seconds_so_does_the_file() -> None:
    assert (whole_seconds("2m"), type(whole_seconds(2.0))) == (120, int)
    with pytest.raises(ValueError, match='expected whole seconds, not "1500ms"'):
        whole_seconds("1500ms")


@pytest.mark.parametrize(
    ("written", "size_of_it"),
    [
        (512, 512),
        ("512", 512),
        ("1K", 1024),
        ("1kB", 1024),
        ("2 MiB", 2 << 20),
        ("3G", 3 << 30),
        ("1t", 1 << 40),
    ],
)
def test_sizes_are_bytes_or_have_a_unit_of_1024(written: Any, size_of_it: int) -> None:
    assert size(written) == size_of_it


@pytest.mark.parametrize("written", ["1.5G", "-1K", "G", "1P", True, 1.5, None, ""])
def test_what_is_no_size_is_refused_with_an_example(written: Any) -> None:
    with pytest.raises(ValueError, match="expected a size such as 512M, not "):
        size(written)


@pytest.mark.parametrize("written", [MAX_BYTES + 1, "9" * 5000, f"{1 << 30}T"])
def test_a_size_that_no_system_takes_is_refused(written: Any) -> None:
    """Also one of so many digits that Python itself refuses to read it."""
    with pytest.raises(ValueError, match="at most 9223372036854775807"):
        size(written)
    assert size(MAX_BYTES) == MAX_BYTES


def test_a_limit_may_be_none() -> None:
    assert (limit("unlimited"), limit("1K"), limit(5)) == (None, 1024, 5)
    with pytest.raises(ValueError, match="expected a size"):
        limit("infinite")


def test_a_limit_is_never_negative() -> None:
    """-1 passed `check`, and the system took it for no limit, or refused to start the consumer."""
    assert (limit(0), limit("0")) == (0, 0)
    with pytest.raises(ValueError, match='expected 0 or more, or "unlimited", not -1'):
        limit(-1)


def test_a_limit_that_there_is_not_is_refused_with_the_one_that_was_meant() -> None:
    assert checked_limits({"nofile": 64, "as": None}) == {"nofile": 64, "as": None}
    with pytest.raises(ValueError, match='unknown limit "nofiles", did you mean "nofile"'):
        checked_limits({"nofiles": 1})
    with pytest.raises(ValueError, match=r'unknown limit "zzzz", .*nofile'):
        checked_limits({"zzzz": 1})


@pytest.mark.parametrize(
    ("written", "bits"), [("0027", 0o27), ("027", 0o27), ("0o27", 0o27), ("1777", 0o1777)]
)
def test_permission_bits_are_octal_however_they_are_written(written: str, bits: int) -> None:
    assert octal(written) == bits


@pytest.mark.parametrize("written", [27, "27", "0028", "00027", "u=rw", None])
def test_what_may_not_be_octal_is_not_guessed_at(written: Any) -> None:
    with pytest.raises(ValueError, match="expected octal digits such as 0027, not "):
        octal(written)


@pytest.mark.parametrize(
    ("value", "as_written"),
    [
        (None, "nothing"),
        (True, "true"),
        (False, "false"),
        ({}, "a mapping"),
        ([], "a list"),
        ("x", '"x"'),
        (5, "5"),
    ],
)
def test_values_are_shown_as_their_writer_would_recognize_them(value: Any, as_written: str) -> None:
    assert shown(value) == as_written
