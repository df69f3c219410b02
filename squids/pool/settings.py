"""The settings of a pooled consumer, as values. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from squids.queues import QueueRef
from squids.retry import RetryPolicy


@dataclass(frozen=True, slots=True)
class Limits:
    """The user's numbers: counts and seconds."""

    workers: int
    prefetch: int
    visibility: int
    shutdown_timeout: float
    exit_when_empty: bool = False
    wait: int = 5
    """The wait of a long poll."""


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """A queue, and how to consume it."""

    queue: QueueRef
    limits: Limits
    retry: RetryPolicy
    workers_from: str = ""
    """Where the number of workers comes from, unless the user gave it."""
    label: str = ""
    """The name of the supervisor's program, before what workers print. Empty: they print by themselves."""
    log_level: str = "INFO"
    log_style: str = "record"
    """How workers log, as `log_setup.configure` takes it."""
    warnings: tuple[str, ...] = ()
    """What may be wrong with the app, for the log and for `status`."""
