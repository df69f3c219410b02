"""The typed frames between an owner and its children. What a job or a result says is theirs.

Upwards go facts (Spawned, Exited, Results), downwards commands (Spawn, Kill, Assign). Each is a
list on the wire, whose first item is its tag.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from squids.process.frames import encode


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start a child. The descriptors travel beside; the first is the child's socket."""

    tag: ClassVar[str] = "spawn"
    child: int
    entry: str
    args: dict[str, Any]
    title: str
    orphan_grace: float
    descriptors: int
    owns_children: bool = False


@dataclass(frozen=True, slots=True)
class Spawned:
    """The child runs, with this pid."""

    tag: ClassVar[str] = "spawned"
    child: int
    pid: int


@dataclass(frozen=True, slots=True)
class SpawnFailed:
    """The system refused the child: errno and its text."""

    tag: ClassVar[str] = "spawn_failed"
    child: int
    errno: int
    reason: str


@dataclass(frozen=True, slots=True)
class Kill:
    """Send a signal to a child, or to its whole process group."""

    tag: ClassVar[str] = "kill"
    child: int
    signal: int
    group: bool = True


@dataclass(frozen=True, slots=True)
class Exited:
    """The child is dead. `status`: its exit code, or minus the signal. CPU in seconds, memory in KiB."""

    tag: ClassVar[str] = "exited"
    child: int
    pid: int
    status: int
    cpu: float = 0.0
    max_rss: int = 0


@dataclass(frozen=True, slots=True)
class WorkerReady:
    """A worker waits for its first job."""

    tag: ClassVar[str] = "worker_ready"


@dataclass(frozen=True, slots=True)
class Assign:
    """Jobs to be run in this order."""

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


Frame = Spawn | Spawned | SpawnFailed | Kill | Exited | WorkerReady | Assign | Results | Recall

_FRAMES: dict[str, type[Frame]] = {
    frame.tag: frame
    for frame in (Spawn, Spawned, SpawnFailed, Kill, Exited, WorkerReady, Assign, Results, Recall)
}


def to_wire(frame: Frame) -> list[Any]:
    """A frame as what JSON carries."""
    # The two of the hot path.
    if isinstance(frame, Assign):
        return ["assign", frame.jobs]
    if isinstance(frame, Results):
        return ["results", frame.results]
    return [frame.tag, *(getattr(frame, name) for name in frame.__slots__)]


def from_wire(payload: Any) -> Frame:
    """The frame that a payload is. ValueError if it is none."""
    try:
        tag, *fields = payload
        return _FRAMES[tag](*fields)
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"not a frame of ours: {str(payload)[:80]}") from error


WORKER_READY = encode(to_wire(WorkerReady()))
"""Encoded once for all: what an idle child does not touch stays shared with its siblings."""
