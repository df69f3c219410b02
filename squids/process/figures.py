"""Figures that consumers and fork servers report, for a supervisor to show and act on. Pure.

An app's code can send anything over the sockets of its processes, so each constructor checks its values and
raises ValueError.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

from squids.process.checks import (
    check_bools,
    check_list,
    check_numbers,
    check_object,
    check_pid,
    check_seconds,
    check_text,
)


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job that a worker runs. `started`: seconds on the machine's monotonic clock."""

    worker: int
    pid: int | None
    task: str | None
    message_id: str
    started: float

    def __post_init__(self) -> None:
        check_numbers(self.worker)
        check_text(self.message_id, *([] if self.task is None else [self.task]))
        check_seconds(self.started)
        if self.pid is not None:
            check_pid(self.pid)


@dataclass(frozen=True, slots=True)
class ConsumerFigures:
    """What a consumer does. `p50`, `p95`: seconds that tasks took; None before the first has ended."""

    paused: bool = False
    workers: int = 0
    """The wanted number."""
    ready: int = 0
    """The number that has started."""
    busy: int = 0
    held: int = 0
    """Messages received, and neither deleted nor given back."""
    done: int = 0
    failed: int = 0
    p50: float | None = None
    p95: float | None = None
    running: tuple[RunningJob, ...] = ()
    pids: tuple[int, ...] = ()
    """The workers' pids, as the consumer reports them."""
    warnings: tuple[str, ...] = ()
    """What may be wrong with the app, though it runs."""

    def __post_init__(self) -> None:
        check_bools(self.paused)
        check_numbers(self.workers, self.ready, self.busy, self.held, self.done, self.failed)
        check_seconds(*(value for value in (self.p50, self.p95) if value is not None))
        for pid in self.pids:
            check_pid(pid)
        check_text(*self.warnings)

    def to_wire(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_wire(cls, values: Any) -> ConsumerFigures:
        """Convert from a frame.

        Versions may differ: unknown values are ignored, and missing ones have their defaults.
        """
        known = {name: value for name, value in check_object(values).items() if name in _FIGURES}
        known["running"] = tuple(
            RunningJob(**check_object(job)) for job in check_list(known.get("running", []))
        )
        known["pids"] = tuple(check_list(known.get("pids", [])))
        known["warnings"] = tuple(check_list(known.get("warnings", [])))
        return cls(**known)


_FIGURES = frozenset(field.name for field in fields(ConsumerFigures))


class ImportedFile(NamedTuple):
    """The file of a module when it was imported: `modified` in nanoseconds, `size` in bytes."""

    path: str
    modified: int
    size: int


@dataclass(frozen=True, slots=True)
class ImportFacts:
    """The facts of an import. `imported_at`: seconds since the epoch."""

    imported_at: float
    files: tuple[ImportedFile, ...]

    def __post_init__(self) -> None:
        check_seconds(self.imported_at)
        for path, modified, size in self.files:
            check_text(path)
            check_numbers(modified, size)

    def to_wire(self) -> dict[str, Any]:
        return {"imported_at": self.imported_at, "files": self.files}

    @classmethod
    def from_wire(cls, values: Any) -> ImportFacts:
        files = check_list(check_object(values)["files"])
        return cls(values["imported_at"], tuple(ImportedFile(*check_list(file)) for file in files))
