"""A generation: one import of an app, as programs refer to it, or why it failed. Made by `fork_servers`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from squids.process.figures import ImportFacts
from squids.process.imported_files import changed_files
from squids.process.restarts import RestartPolicy, Restarts
from squids.process.zygote_handle import ZygoteHandle
from squids.supervisor.settings import AppSpec

RETRY = RestartPolicy(immediate=0, first=1.0, maximum=60.0)
"""When a failed import is retried, and a dead fork server restarted."""


class GenerationState(Enum):
    NEW = "new"
    IMPORTING = "importing"
    READY = "ready"
    FAILED = "failed"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an import failed. `retry_at`: monotonic; None if a restart cannot fix it.

    `short`: the same in one line. `refused`: the system refused a resource.
    """

    text: str
    retry_at: float | None
    short: str
    refused: bool = False
    files: tuple[str, ...] = ()
    """The files that the import reached."""


@dataclass(eq=False, slots=True)
class Generation:
    """One import of an app spec's app."""

    number: int
    app_spec: AppSpec
    state: GenerationState = GenerationState.NEW
    handle: ZygoteHandle | None = None
    uid: int = -1
    """The user that it runs as, once started."""
    shares: bool = True
    on_trial: bool = False
    """It is imported once to see whether that works, then started without sharing."""
    unforkable: str = ""
    facts: ImportFacts | None = None
    """Of the last successful import. None if there was none, or each process imports for itself."""
    places: tuple[tuple[str, str], ...] = ()
    """Its directory and its interpreter's: as written, and where links led when it was started."""
    restarts: Restarts = field(default_factory=lambda: Restarts(RETRY))
    """Counts failed imports, and deaths of its fork server."""
    failure: Failure | None = None
    imports: int = 0
    ready_since: float = 0.0
    waiting: list[Callable[[Failure | None], None]] = field(default_factory=list)
    timer: asyncio.TimerHandle | None = None
    timeout: float = 0.0
    """Seconds that its import may take."""

    def stale_files(self) -> list[str]:
        """Return moved links, and imported files that have changed on disk since."""
        moved = [written for written, real in self.places if os.path.realpath(written) != real]
        return [*moved, *(changed_files(self.facts.files) if self.facts is not None else ())]
