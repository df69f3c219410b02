"""Tells a second request to stop from the first one that arrives twice. Pure.

One wish to stop often arrives as several signals. A terminal signals its foreground group, and a wrapper
(`npx concurrently`, foreman, `timeout`) sends its own signal, too. `pkill` and tree-kill signal each process
of a tree, whose owner then stops it as well. So what comes within a second of a sender's first request is the
same stop, and each sender's first request is gentle, whatever others requested before.
"""

from __future__ import annotations

from enum import Enum

SAME_STOP_SECONDS = 1.0
"""How long after the first signal further ones mean the same stop. Longer than any wrapper takes, and
shorter than it takes someone to read what a stop waits for."""

FORCES = f"another signal, {SAME_STOP_SECONDS:g} s from now or later, kills what runs"
"""For the people at the terminal."""


class StopBy(Enum):
    """Who requests a stop."""

    SIGNAL = "a signal, or another request of an operator"
    SUPERVISOR = "the supervisor's command; it decides itself when to force"
    GONE = "the end of the supervisor, after which systemd may signal all that is left"
    ITSELF = "the process, which cannot continue"


MAY_FORCE = (StopBy.SIGNAL, StopBy.SUPERVISOR)


class Stops:
    """The requests to stop that one process got."""

    def __init__(self) -> None:
        self._first: dict[StopBy, float] = {}

    def forces(self, by: StopBy, now: float) -> bool:
        """Note a request; return whether it is a second one, which does not wait for running tasks."""
        if by not in self._first:
            self._first[by] = now
            return False
        if by not in MAY_FORCE:
            return False
        return by is StopBy.SUPERVISOR or now - self._first[by] >= SAME_STOP_SECONDS
