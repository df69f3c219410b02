"""Decides when what died is started again, or that it is given up: workers, fork servers and programs. Pure.

Deaths in a row wait longer and longer, up to a maximum. Progress, or a long time without a death, forgets
them. Two limits give up: on deaths in a row, and on starts within a window of time.
"""

from __future__ import annotations

from dataclasses import dataclass

from squids.backoff import exponential


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """Seconds and counts.

    `immediate`: how many deaths in a row are answered at once; those that follow wait `first`, then twice as
    long each time, at most `maximum`, of which chance takes the part `spread`. `give_up_after`: deaths in a
    row. `most`: starts within `window`. `healthy_after`: without a death for so long, those before it are
    forgotten.
    """

    immediate: int = 1
    first: float = 0.5
    maximum: float = 30.0
    spread: float = 0.5
    give_up_after: int | None = None
    most: int | None = None
    window: float = 60.0
    healthy_after: float = 60.0


@dataclass(frozen=True, slots=True)
class StartAt:
    """Start it again at this time."""

    at: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Do not start it again: it died, or was started, so many times."""

    deaths: int


class Restarts:
    """Deaths in a row, and starts within a window. `policy` may change between them."""

    def __init__(self, policy: RestartPolicy) -> None:
        self.policy = policy
        self._last: float | None = None
        self._starts: list[float] = []
        self.deaths = 0

    def progress(self) -> None:
        """Something was finished: the deaths before it are forgotten."""
        self.deaths = 0

    def forget(self) -> None:
        """A person says that it is mended: the starts are forgotten, too."""
        self.deaths = 0
        self._starts.clear()

    def died(self, now: float, jitter: float, *, healthy: bool | None = None) -> StartAt | GiveUp:
        """Count a death. `jitter`: a random number from 0 to 1.

        `healthy`: whether it had been up for `healthy_after`; None: as the time since the last death says.
        """
        policy = self.policy
        if healthy is None:
            healthy = self._last is not None and now - self._last >= policy.healthy_after
        if healthy:
            self.deaths = 0
        self._last = now
        self.deaths += 1
        if policy.give_up_after is not None and self.deaths >= policy.give_up_after:
            return GiveUp(self.deaths)
        if (too_many := self.starts_again(now)) is not None:
            return too_many
        if self.deaths <= policy.immediate:
            return StartAt(now)
        delay = exponential(
            self.deaths - policy.immediate,
            first=policy.first,
            maximum=policy.maximum,
            jitter=jitter,
            spread=policy.spread,
        )
        return StartAt(now + delay)

    def starts_again(self, now: float) -> GiveUp | None:
        """Count one more start, unless that is one too many within the window."""
        policy = self.policy
        if policy.most is None:
            return None
        self._starts = [at for at in self._starts if now - at < policy.window]
        if len(self._starts) >= policy.most:
            return GiveUp(len(self._starts))
        self._starts.append(now)
        return None
