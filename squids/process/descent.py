"""Decides whether to act on a pid that another process reported. Pure.

The reporting process may be wrong or lie: an app's code runs in fork servers and consumers, often as another
user than the receiver of the report. A pid is accepted only if the process descends from one of ours, runs as
the expected user, and is not older than the request for it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

MAX_ANCESTORS = 32
"""Between a fork server and its child there is at most the shell of an interpreter's wrapper."""

CLOCK_SLACK = 1.0
"""In seconds. The system rounds the start of a process to hundredths."""

ROOT = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """What the system knows of a process: parent, real user, and start in seconds since boot."""

    parent: int
    uid: int
    started: float


@dataclass(frozen=True, slots=True)
class Claim:
    """What must hold for a pid.

    `below`: its possible ancestors. `uid`: its user; root accepts any, as root's code may have changed user.
    `asked`: when it was requested, in seconds since boot; None if unknown.
    """

    below: frozenset[int]
    uid: int
    asked: float | None = None


def is_pid(value: object) -> bool:
    """Whether it can be a child's pid: kill(2) takes 0 and below as several processes, and 1 is init."""
    return type(value) is int and 1 < value < 2**31


def why_not(pid: int, claim: Claim, look: Callable[[int], Seen | None]) -> str | None:
    """Return why the process does not match the claim, or None. `look` returns None for unknown pids."""
    if pid in claim.below:
        return "it is the parent, not a child"
    seen = look(pid)
    if seen is None:
        return "there is no such process"
    if claim.uid not in (ROOT, seen.uid):
        return f"it runs as uid {seen.uid}, not {claim.uid}"
    if claim.asked is not None and seen.started + CLOCK_SLACK < claim.asked:
        return "it is older than the request for it"
    return None if _descends(seen, claim.below, look) else "it is not a descendant of its fork server"


def _descends(seen: Seen | None, below: Collection[int], look: Callable[[int], Seen | None]) -> bool:
    for _ in range(MAX_ANCESTORS):
        if seen is None or seen.parent <= 1:
            return seen is not None and seen.parent in below
        if seen.parent in below:
            return True
        seen = look(seen.parent)
    return False
