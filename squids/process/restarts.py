"""Decides when a dead worker, fork server or program is started again, or given up. Pure.

Consecutive deaths wait longer and longer, up to a maximum. Progress, or a long time without a death, resets
this. Two limits give up: on consecutive deaths, and on starts within a time window.
"""

from __future__ import annotations

from dataclasses import dataclass

from squids.backoff import exponential


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """The policy, in seconds and counts.

    `immediate`: how many consecutive deaths restart at once; the following wait `first`, doubled each time,
    at most `maximum`, of which the fraction `spread` is random. `give_up_after`: consecutive deaths. `most`:
    starts within `window`. `healthy_after`: earlier deaths are forgotten after this time without one.
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
    """Do not start it again: it died, or was started, too often.

    `deaths`: the consecutive deaths, or the starts within the window.
    """

    deaths: int


class Restarts:
    """Counts consecutive deaths, and starts within a window. `policy` may change meanwhile."""

    def __init__(self, policy: RestartPolicy) -> None:
        self.policy = policy
        self._last: float | None = None
        self._starts: list[float] = []
        self.deaths = 0

    def progress(self) -> None:
        """Something was finished: forget earlier deaths."""
        self.deaths = 0

    def forget(self) -> None:
        """An operator asks for a retry: forget the starts, too."""
        self.deaths = 0
        self._starts.clear()

    def died(self, now: float, jitter: float, *, healthy: bool | None = None) -> StartAt | GiveUp:
        """Count a death. `jitter`: a random number from 0 to 1.

        `healthy`: whether it was up for `healthy_after`; None: decide by the time since the last death.
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
        """Count a start, or give up if there are too many within the window."""
        policy = self.policy
        if policy.most is None:
            return None
        self._starts = [at for at in self._starts if now - at < policy.window]
        if len(self._starts) >= policy.most:
            return GiveUp(len(self._starts))
        self._starts.append(now)
        return None
