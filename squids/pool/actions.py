"""What `inflight` answers with: values that the shell carries out, in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from squids.pool.batches import Batch
from squids.pool.message import HeldMessage
from squids.pool.polls import Poll


@dataclass(frozen=True, slots=True)
class Receive:
    """Start this receive."""

    poll: Poll


@dataclass(frozen=True, slots=True)
class Recover:
    """Fetch again, by its attempt id, what an abandoned receive may have been given."""

    poll: Poll


@dataclass(frozen=True, slots=True)
class Hand:
    """Give these messages to a worker, to be run in this order."""

    worker: int
    messages: tuple[HeldMessage, ...]


@dataclass(frozen=True, slots=True)
class RecallUnstarted:
    """Ask a worker to give back what it has not started."""

    worker: int


@dataclass(frozen=True, slots=True)
class KillWorker:
    """Kill a worker and what it started."""

    worker: int


@dataclass(frozen=True, slots=True)
class ApplyBatch:
    """Send this batch to SQS."""

    batch: Batch


@dataclass(frozen=True, slots=True)
class Dismiss:
    """Let a worker leave: it has nothing to do, and is one too many."""

    worker: int


class Notice(Enum):
    """What people should know. The value is the log's `action`."""

    DEGRADED = "degraded"
    HEALED = "healed"
    TASK_FAILED = "task_failed"
    BAD_MESSAGE = "bad_message"
    WORKER_LOST = "worker_died"
    SETTLE_TROUBLE = "settle_failed"
    SETTLE_HEALED = "settle_healed"
    TOO_LATE = "deleted_too_late"
    VISIBILITY_LOST = "visibility_lost"
    VISIBILITY_BOUND = "visibility_bound"
    GAVE_BACK = "giving_back"
    KILLING = "killing"


@dataclass(frozen=True, slots=True)
class Report:
    """Something for the log. `message` is the message it is about, if it is about one."""

    notice: Notice
    text: str = ""
    message: HeldMessage | None = None
    details: dict[str, object] = field(default_factory=dict)


Action = Receive | Recover | Hand | RecallUnstarted | KillWorker | ApplyBatch | Dismiss | Report
