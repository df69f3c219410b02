"""The running job, for code inside it."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from typing import Any


@dataclass(frozen=True, slots=True)
class Job:
    """A job: one run of a task for a message.

    `id`: SQS's message id. `queue`: the queue's name. `task`: the task's name. `receive_count`: how often SQS
    has delivered the message, this time included (approximate). `sent_at`: UTC, None if SQS did not say.
    `args`, `kwargs`: the task's arguments, as JSON gives them.
    """

    id: str
    queue: str
    task: str
    receive_count: int
    sent_at: datetime | None
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class JobEnd(Enum):
    """How a job ended. The values are used in frames between a worker and its consumer."""

    DONE = "done"
    FAILED = "failed"
    """The task or a `pre_task` hook raised."""
    BAD_MESSAGE = "bad"
    """The message names no task that can run."""
    UNSTARTED = "unstarted"
    """It never started."""


class JobAction(StrEnum):
    """The log's `action` when a job starts or ends. Programs read the frames instead: `JobsChanged`."""

    STARTED = "job_started"
    DONE = "job_done"
    FAILED = "task_failed"
    BAD_MESSAGE = "bad_message"
    WORKER_LOST = "worker_died"


CURRENT: ContextVar[Job | None] = ContextVar("squids_job", default=None)


def current_job() -> Job | None:
    """Return the running job in a task and its `pre_task` and `post_task` hooks, None elsewhere."""
    return CURRENT.get()
