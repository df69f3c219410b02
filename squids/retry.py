"""When a message whose task failed is run again: a policy, and its decision as a value."""

from __future__ import annotations

import math
from dataclasses import dataclass

from squids.backoff import exponential


@dataclass(frozen=True, slots=True)
class RetryDecision:
    """The visibility a failed message goes back with, in seconds.

    None: it is not touched, and comes back when the visibility of its receive runs out.
    """

    delay_seconds: int | None


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential by the receive count: `first` seconds, doubled at each receive, up to `maximum`."""

    first: float = 2.0
    maximum: float = 900.0
    enabled: bool = True

    def decide(self, receive_count: int, jitter: float) -> RetryDecision:
        """What to do with a message that was received so often and failed again. `jitter`: 0 to 1."""
        if not self.enabled:
            return RetryDecision(None)
        delay = exponential(max(1, receive_count), first=self.first, maximum=self.maximum, jitter=jitter)
        return RetryDecision(math.ceil(delay))
