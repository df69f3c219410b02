"""One run of a task, for the code that runs in it."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any


@dataclass(frozen=True, slots=True)
class Job:
    """The message that is run now.

    `id` is SQS's message id, `receive_count` how often the message was received, this time included (SQS
    calls it approximate), `sent_at` when it was sent (UTC, None if SQS did not say).
    """

    id: str
    queue: str
    task: str
    receive_count: int
    sent_at: datetime | None
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class JobEnd(Enum):
    """How a job ended. The values travel in frames between a worker and its consumer."""

    DONE = "done"
    FAILED = "failed"
    """Its task raised, or a hook before it."""
    BAD_MESSAGE = "bad"
    """No task can be run for its message."""
    UNSTARTED = "unstarted"
    """It never ran."""


CURRENT: ContextVar[Job | None] = ContextVar("squids_job", default=None)


def current_job() -> Job | None:
    """The job that this code runs in: inside a task, `pre_task` or `post_task`; None elsewhere."""
    return CURRENT.get()
