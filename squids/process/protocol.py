"""The typed frames between an owner and its children. The contents of jobs and results are up to them. Pure.

Facts go up (Spawned, Exited, Results), commands go down (Spawn, Kill, Assign). On the wire, a frame is a list
that starts with its tag.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, get_args

from squids.process.checks import (
    check_bools,
    check_list,
    check_numbers,
    check_pid,
    check_text,
)
from squids.process.figures import ConsumerFigures, ImportFacts
from squids.process.frames import encode


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start a child. The descriptors are sent along; the first is the child's socket."""

    tag: ClassVar[str] = "spawn"
    child: int
    entry: str
    args: dict[str, Any]
    title: str
    orphan_grace: float
    descriptors: int
    owns_children: bool = False
    program: str = ""
    """If not empty, the fork server's first owner gets the child's output, as this program's."""
    worker: int | None = None
    """The number of the program's worker; None: it is the consumer."""
    nice: int = 0
    limits: dict[str, int | None] = field(default_factory=dict)
    """Soft resource limits by name; None is unlimited. Children that it owns inherit these and `nice`."""


@dataclass(frozen=True, slots=True)
class Spawned:
    """The child was started with this pid."""

    tag: ClassVar[str] = "spawned"
    child: int
    pid: int

    def __post_init__(self) -> None:
        check_numbers(self.child)
        check_pid(self.pid)


@dataclass(frozen=True, slots=True)
class SpawnFailed:
    """The system refused the child: errno and its text."""

    tag: ClassVar[str] = "spawn_failed"
    child: int
    errno: int
    reason: str

    def __post_init__(self) -> None:
        check_numbers(self.child, self.errno)
        if type(self.reason) is not str:
            raise ValueError("no text")


@dataclass(frozen=True, slots=True)
class Kill:
    """Send a signal to a child, or to its whole process group."""

    tag: ClassVar[str] = "kill"
    child: int
    signal: int
    group: bool = True
    tree: bool = False
    """Also to the groups of the children that it owns."""


@dataclass(frozen=True, slots=True)
class Exited:
    """The child is dead. `status`: its exit code, or minus the signal."""

    tag: ClassVar[str] = "exited"
    child: int
    pid: int
    status: int

    def __post_init__(self) -> None:
        check_numbers(self.child, self.status)
        check_pid(self.pid)


@dataclass(frozen=True, slots=True)
class Preloaded:
    """The fork server has imported what its children share. `facts` None: each child imports it.

    `unforkable`: what the import left behind that does not survive a fork; such a fork server exits at once.
    """

    tag: ClassVar[str] = "preloaded"
    unforkable: str
    facts: ImportFacts | None

    def __post_init__(self) -> None:
        check_text(self.unforkable)


@dataclass(frozen=True, slots=True)
class PreloadFailed:
    """The import failed, and the fork server exits.

    `hopeless`: a restart cannot fix it. `files`: those that the import reached, including the one that
    failed.
    """

    tag: ClassVar[str] = "preload_failed"
    hopeless: bool
    text: str
    files: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        check_list(self.files)
        check_bools(self.hopeless)
        check_text(self.text, *self.files)


@dataclass(frozen=True, slots=True)
class Output:
    """A child's output. Two read ends are sent along.

    The first has what it and its descendants print, and ends when all of them have exited; the second has its
    log records.
    """

    tag: ClassVar[str] = "output"
    program: str
    worker: int | None
    pid: int

    def __post_init__(self) -> None:
        check_text(self.program)
        check_pid(self.pid)
        if self.worker is not None:
            check_numbers(self.worker)


# Between a supervisor and its consumers.


@dataclass(frozen=True, slots=True)
class Booted:
    """The consumer's loop runs. `facts`: from its own import; None if its fork server imported the app."""

    tag: ClassVar[str] = "booted"
    facts: ImportFacts | None = None


@dataclass(frozen=True, slots=True)
class Ready:
    """Its first receive was answered."""

    tag: ClassVar[str] = "ready"


@dataclass(frozen=True, slots=True)
class Degraded:
    """It cannot work for this reason, and keeps trying. None: it has recovered."""

    tag: ClassVar[str] = "degraded"
    reason: str | None

    def __post_init__(self) -> None:
        if self.reason is not None:
            check_text(self.reason)


@dataclass(frozen=True, slots=True)
class Figures:
    """What it is doing."""

    tag: ClassVar[str] = "figures"
    values: ConsumerFigures


@dataclass(frozen=True, slots=True)
class Alive:
    """Its receive loop advances, and there is nothing else to report."""

    tag: ClassVar[str] = "alive"


@dataclass(frozen=True, slots=True)
class ForkServerHangs:
    """The fork server of this consumer and its workers hangs, for this reason."""

    tag: ClassVar[str] = "fork_server_hangs"
    reason: str

    def __post_init__(self) -> None:
        check_text(self.reason)


@dataclass(frozen=True, slots=True)
class Stopping:
    """It drains, for this reason."""

    tag: ClassVar[str] = "stopping"
    reason: str

    def __post_init__(self) -> None:
        check_text(self.reason)


@dataclass(frozen=True, slots=True)
class Drain:
    """Stop receiving, let jobs finish, exit. The second time: kill what runs.

    `within`: seconds for jobs to finish; None: the shutdown timeout. The second time: seconds for a receive
    in progress; None: none.
    """

    tag: ClassVar[str] = "drain"
    within: float | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Stop receiving, or resume."""

    tag: ClassVar[str] = "pause"
    on: bool


@dataclass(frozen=True, slots=True)
class Scale:
    """Have this many workers."""

    tag: ClassVar[str] = "scale"
    workers: int


@dataclass(frozen=True, slots=True)
class Follow:
    """`logs`: log the start and end of each job. `reports`: report them, too, in `JobsChanged`."""

    tag: ClassVar[str] = "follow"
    logs: bool
    reports: bool

    def __post_init__(self) -> None:
        check_bools(self.logs, self.reports)


class JobChange(StrEnum):
    """What happened to a message's job."""

    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    """It is tried again, if the queue's redrive policy allows."""
    BAD_MESSAGE = "bad_message"
    WORKER_LOST = "worker_lost"
    GIVEN_BACK = "given_back"
    """SQS has the message again: it did not start here, was stopped, or is to be tried again."""


@dataclass(frozen=True, slots=True)
class JobsChanged:
    """What happened to jobs, in order: pairs of a message id and a `JobChange`."""

    tag: ClassVar[str] = "jobs_changed"
    changes: list[list[str]]

    def __post_init__(self) -> None:
        for pair in check_list(self.changes):
            message_id, change = check_list(pair)
            check_text(message_id)
            JobChange(change)


@dataclass(frozen=True, slots=True)
class WorkerReady:
    """A worker waits for its first job."""

    tag: ClassVar[str] = "worker_ready"


@dataclass(frozen=True, slots=True)
class Assign:
    """Jobs to run, in this order."""

    tag: ClassVar[str] = "assign"
    jobs: list[list[Any]]


@dataclass(frozen=True, slots=True)
class Results:
    """How jobs ended."""

    tag: ClassVar[str] = "results"
    results: list[list[Any]]


@dataclass(frozen=True, slots=True)
class Recall:
    """Give back the jobs that have not started."""

    tag: ClassVar[str] = "recall"


Life = Booted | Ready | Degraded | Figures | Alive | ForkServerHangs | Stopping | JobsChanged
"""What a consumer reports to its supervisor."""

Command = Drain | Pause | Scale | Follow
"""What a supervisor tells its consumer."""

FromZygote = Preloaded | PreloadFailed | Spawned | SpawnFailed | Exited | Output

Frame = Spawn | Kill | FromZygote | Life | Command | WorkerReady | Assign | Results | Recall

_FRAMES: dict[str, type[Frame]] = {frame.tag: frame for frame in get_args(Frame)}

PROTOCOL = 4
"""The protocol's version, which must match if the ends are different versions of squids."""


def to_wire(frame: Frame) -> list[Any]:
    """Convert a frame to JSON values."""
    # These two are on the hot path.
    if isinstance(frame, Assign):
        return ["assign", frame.jobs]
    if isinstance(frame, Results):
        return ["results", frame.results]
    return [frame.tag, *(_plain(getattr(frame, name)) for name in frame.__slots__)]


def _plain(value: Any) -> Any:
    return value.to_wire() if isinstance(value, ConsumerFigures | ImportFacts) else value


def from_wire(payload: Any) -> Frame:
    """Convert a payload to a frame. Raises ValueError if it is not one."""
    try:
        tag, *fields = payload
        return _READERS.get(tag, _FRAMES[tag])(*fields)
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"not a frame of ours: {str(payload)[:80]}") from error


def _read_facts(facts: Any) -> ImportFacts | None:
    return None if facts is None else ImportFacts.from_wire(facts)


_READERS: dict[str, Callable[..., Frame]] = {
    Preloaded.tag: lambda unforkable, facts: Preloaded(unforkable, _read_facts(facts)),
    Booted.tag: lambda facts: Booted(_read_facts(facts)),
    Figures.tag: lambda values: Figures(ConsumerFigures.from_wire(values)),
}
"""Readers of frames that carry values of their own."""

WORKER_READY = encode(to_wire(WorkerReady()))
"""Encoded once: memory that an idle child does not touch stays shared."""
