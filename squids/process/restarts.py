"""Decides when what died is started again, or that it is given up. Pure.

The first death is answered at once; those that follow without anything finished in between wait
longer and longer. Progress, or a long time without a death, forgets them.
"""

from __future__ import annotations

from dataclasses import dataclass

from squids.backoff import exponential


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """Seconds and counts. `give_up_after` None: never."""

    immediate: int = 1
    first: float = 0.5
    maximum: float = 30.0
    give_up_after: int | None = None
    healthy_after: float = 60.0


@dataclass(frozen=True, slots=True)
class StartAt:
    """Start it again at this time."""

    at: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """It died so many times in a row: do not start it again."""

    deaths: int


class Restarts:
    """Deaths in a row."""

    def __init__(self, policy: RestartPolicy) -> None:
        self._policy = policy
        self._last: float | None = None
        self.deaths = 0

    def progress(self) -> None:
        """Something was finished: the deaths before it are forgotten."""
        self.deaths = 0

    def died(self, now: float, jitter: float) -> StartAt | GiveUp:
        """Count a death. `jitter`: a random number from 0 to 1."""
        policy = self._policy
        if self._last is not None and now - self._last >= policy.healthy_after:
            self.deaths = 0
        self._last = now
        self.deaths += 1
        if policy.give_up_after is not None and self.deaths >= policy.give_up_after:
            return GiveUp(self.deaths)
        if self.deaths <= policy.immediate:
            return StartAt(now)
        delay = exponential(
            self.deaths - policy.immediate, first=policy.first, maximum=policy.maximum, jitter=jitter
        )
        return StartAt(now + delay)
