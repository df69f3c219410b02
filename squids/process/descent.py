"""Decides whether a pid that another process told is one to act on. Pure.

Whoever reports a pid may be wrong, or lie: an app's code runs in the fork server and in consumers, often as
another user than the process that hears of it. A pid is believed only if the process is a descendant of one
that is ours, runs as the user whose report it is, and is not older than the request for it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

MOST_ANCESTORS = 32
"""Between a fork server and its child there is nobody, or the shell of a wrapper around the interpreter."""

CLOCK_SLACK = 1.0
"""Seconds: the system counts the start of a process in hundredths, and rounds."""

ROOT = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """What the system says of a process: its parent, its real user, and its start in seconds since boot."""

    parent: int
    uid: int
    started: float


@dataclass(frozen=True, slots=True)
class Claim:
    """What must be true of a pid.

    `below`: the processes that it may descend from. `uid`: its user; root stands for any, since root's code
    may have become another one. `asked`: seconds since boot, None if the system does not say.
    """

    below: frozenset[int]
    uid: int
    asked: float | None = None


def is_pid(value: object) -> bool:
    """Whether it can be the pid of a child: not 0 or below, which mean many to kill(2), and not init."""
    return type(value) is int and 1 < value < 2**31


def why_not(pid: int, claim: Claim, look: Callable[[int], Seen | None]) -> str | None:
    """Why the process is not what the claim says; None if it is. `look`: None for what is not there."""
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
    for _ in range(MOST_ANCESTORS):
        if seen is None or seen.parent <= 1:
            return seen is not None and seen.parent in below
        if seen.parent in below:
            return True
        seen = look(seen.parent)
    return False
