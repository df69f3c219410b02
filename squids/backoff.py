"""Exponential backoff with jitter. Pure: takes the time and the random number as arguments.

Half of each delay is fixed and half is random ("equal jitter"), so that clients that failed together do not
retry together, and none retries at once.

Source: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
"""

from __future__ import annotations


def exponential(attempt: int, *, first: float, maximum: float, jitter: float, spread: float = 0.5) -> float:
    """Return the seconds to wait after failure number `attempt`, counted from 1.

    The full delay is `first`, doubled at each attempt, at most `maximum`. The fraction `spread` of it is
    random: all of it is cut for `jitter` 0, none for `jitter` 1. Raises ValueError if `attempt` or `jitter`
    is out of range.
    """
    if attempt < 1:
        raise ValueError(f"attempt must be 1 or more, not {attempt}")
    if not 0.0 <= jitter <= 1.0:
        raise ValueError(f"jitter must be between 0 and 1, not {jitter}")
    doublings = min(attempt - 1, 64)
    whole: float = min(maximum, first * 2**doublings)
    return whole * (1 - spread * (1 - jitter))


class Backoff:
    """Counts consecutive failures and computes the time of the next attempt."""

    def __init__(self, *, first: float, maximum: float) -> None:
        self._first = first
        self._maximum = maximum
        self.attempts = 0

    def failed(self, now: float, jitter: float) -> float:
        """Count a failure; return the time of the next attempt, on the clock of `now`."""
        self.attempts += 1
        return now + exponential(self.attempts, first=self._first, maximum=self._maximum, jitter=jitter)

    def reset(self) -> None:
        """Forget the failures."""
        self.attempts = 0
