"""The actions that `inflight` returns: values for the shell to carry out, in order. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from squids.job import JobAction
from squids.pool.batches import Batch
from squids.pool.message import HeldMessage
from squids.pool.polls import Poll


@dataclass(frozen=True, slots=True)
class Receive:
    """Start this receive."""

    poll: Poll


@dataclass(frozen=True, slots=True)
class Recover:
    """Repeat an abandoned receive by its attempt id, to get the messages that it may have been given."""

    poll: Poll


@dataclass(frozen=True, slots=True)
class Hand:
    """Hand these messages to a worker, to run in this order."""

    worker: int
    messages: tuple[HeldMessage, ...]


@dataclass(frozen=True, slots=True)
class RecallUnstarted:
    """Ask a worker to give back what it has not started."""

    worker: int


@dataclass(frozen=True, slots=True)
class KillWorker:
    """Kill a worker and its process group."""

    worker: int


@dataclass(frozen=True, slots=True)
class ApplyBatch:
    """Send this batch to SQS."""

    batch: Batch


@dataclass(frozen=True, slots=True)
class Dismiss:
    """Let an idle surplus worker exit."""

    worker: int


class Notice(Enum):
    """Something that people should know. The value is the log's `action`."""

    DEGRADED = "degraded"
    HEALED = "healed"
    TASK_FAILED = JobAction.FAILED.value
    BAD_MESSAGE = JobAction.BAD_MESSAGE.value
    WORKER_LOST = JobAction.WORKER_LOST.value
    SETTLE_TROUBLE = "settle_failed"
    SETTLE_HEALED = "settle_healed"
    TOO_LATE = "deleted_too_late"
    VISIBILITY_LOST = "visibility_lost"
    VISIBILITY_BOUND = "visibility_bound"
    GAVE_BACK = "giving_back"
    KILLING = "killing"


@dataclass(frozen=True, slots=True)
class Report:
    """An entry for the log. `message`: the message that it is about, if any."""

    notice: Notice
    text: str = ""
    message: HeldMessage | None = None
    details: dict[str, object] = field(default_factory=dict)


Action = Receive | Recover | Hand | RecallUnstarted | KillWorker | ApplyBatch | Dismiss | Report
