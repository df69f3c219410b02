"""Exponential backoff with jitter. Pure: the time and the random number come in.

Half of each delay is fixed and half is random ("equal jitter"), so that many that failed together
do not come back together, and none comes back at once.

Source: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
"""

from __future__ import annotations


def exponential(attempt: int, *, first: float, maximum: float, jitter: float, spread: float = 0.5) -> float:
    """Seconds to wait after failure number `attempt` (1 or more).

    The whole is `first` doubled at each attempt, at most `maximum`; chance takes the part `spread` of it,
    all of that with `jitter` 0, nothing with `jitter` 1.
    """
    if attempt < 1:
        raise ValueError(f"attempt must be 1 or more, not {attempt}")
    if not 0.0 <= jitter <= 1.0:
        raise ValueError(f"jitter must be between 0 and 1, not {jitter}")
    doublings = min(attempt - 1, 64)
    whole: float = min(maximum, first * 2**doublings)
    return whole * (1 - spread * (1 - jitter))


class Backoff:
    """Counts failures in a row, and says when to try again."""

    def __init__(self, *, first: float, maximum: float) -> None:
        self._first = first
        self._maximum = maximum
        self.attempts = 0

    def failed(self, now: float, jitter: float) -> float:
        """Count a failure; the time of the next try, in the clock of `now`."""
        self.attempts += 1
        return now + exponential(self.attempts, first=self._first, maximum=self._maximum, jitter=jitter)

    def reset(self) -> None:
        """Forget the failures."""
        self.attempts = 0
