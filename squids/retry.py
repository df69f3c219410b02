"""When to run a failed message again: a policy, and its decision as a value. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from squids.backoff import exponential


@dataclass(frozen=True, slots=True)
class RetryDecision:
    """The visibility timeout that a failed message gets, in seconds.

    None: it is left alone, and SQS delivers it again when the visibility timeout of its receive runs out.
    """

    delay_seconds: int | None


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential in the receive count: `first` seconds, doubled at each receive, up to `maximum`."""

    first: float = 2.0
    maximum: float = 900.0
    enabled: bool = True

    def decide(self, receive_count: int, jitter: float) -> RetryDecision:
        """Decide for a message that failed at this receive count. `jitter`: 0 to 1."""
        if not self.enabled:
            return RetryDecision(None)
        delay = exponential(max(1, receive_count), first=self.first, maximum=self.maximum, jitter=jitter)
        return RetryDecision(math.ceil(delay))
