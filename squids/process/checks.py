"""Checks the types of values that other processes report. Pure; raises ValueError.

An app's code can send anything over the sockets of its processes, and reported values are shown next to those
of others: a wrong type would break their `status`.
"""

from __future__ import annotations

from typing import Any

from squids.process.descent import is_pid

MAX_NUMBER = 2**63 - 1
MAX_SECONDS = 253_402_300_799
"""The end of the year 9999, the last that Python's datetime supports."""


def _brief(value: object) -> str:
    """Abbreviate a value: an integer may have more digits than Python converts to text."""
    return type(value).__name__ if isinstance(value, int) else str(value)[:40]


def check_numbers(*values: object) -> None:
    """Check that these are integers of 64 bits, and no bools."""
    for value in values:
        if type(value) is not int or not -MAX_NUMBER <= value <= MAX_NUMBER:
            raise ValueError(f"no number: {_brief(value)}")


def check_pid(pid: object) -> None:
    """Check a pid. kill(2) takes 0 and below as several processes; 1 is init."""
    check_numbers(pid)
    if not is_pid(pid):
        raise ValueError(f"no pid: {pid}")


def check_text(*values: object) -> None:
    for value in values:
        if type(value) is not str:
            raise ValueError(f"no text: {str(value)[:40]}")


def check_bools(*values: object) -> None:
    for value in values:
        if type(value) is not bool:
            raise ValueError(f"no bool: {str(value)[:40]}")


def check_seconds(*values: object) -> None:
    """Check durations, or times since boot or the epoch: not negative, and within the calendar."""
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_SECONDS:
            raise ValueError(f"no seconds: {_brief(value)}")


def check_list(value: Any) -> list[Any]:
    if type(value) is not list:
        raise ValueError(f"no list: {str(value)[:40]}")
    return value


def check_object(value: Any) -> dict[str, Any]:
    if type(value) is not dict:
        raise ValueError(f"no object: {str(value)[:40]}")
    return value
