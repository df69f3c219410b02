"""What a pooled consumer needs to know before it starts: values."""

from __future__ import annotations

from dataclasses import dataclass

from squids.queues import QueueRef
from squids.retry import RetryPolicy


@dataclass(frozen=True, slots=True)
class Limits:
    """What the user set, in numbers: counts and seconds."""

    workers: int
    budget: int
    visibility: int
    shutdown_timeout: float
    exit_when_empty: bool = False
    wait: int = 5
    """What a long poll asks for."""


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """A queue, and how it is drained."""

    queue: QueueRef
    limits: Limits
    retry: RetryPolicy
    label: str = ""
    """Not empty: what workers print and log goes to the zygote's first owner, as this program's."""
    log_level: str | None = None
    """Not None: workers log as this consumer does, from this level on."""
