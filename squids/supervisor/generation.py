"""One import of an app, as programs hold on to it; and why there is none. `fork_servers` makes them."""

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
"""When an import that failed is tried again, and a fork server that died is started again."""


class GenerationState(Enum):
    NEW = "new"
    IMPORTING = "importing"
    READY = "ready"
    FAILED = "failed"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no code, in full and in short. `retry_at`: monotonic; None: a restart cannot fix it.

    `refused`: it is the system's fault.
    """

    text: str
    retry_at: float | None
    short: str
    refused: bool = False
    files: tuple[str, ...] = ()
    """What the import came to."""


@dataclass(eq=False, slots=True)
class Generation:
    """One import of an app spec's app."""

    number: int
    app_spec: AppSpec
    state: GenerationState = GenerationState.NEW
    handle: ZygoteHandle | None = None
    uid: int = -1
    """The user that it runs as, once it was started."""
    shares: bool = True
    on_trial: bool = False
    """It is imported once to see whether it can be; then it starts as it is."""
    unforkable: str = ""
    facts: ImportFacts | None = None
    """Of the last import that succeeded; None: there was none yet, or each process imports for itself."""
    places: tuple[tuple[str, str], ...] = ()
    """Its directory and its interpreter's: as written, and where links led when it was started."""
    restarts: Restarts = field(default_factory=lambda: Restarts(RETRY))
    """Failed imports, and deaths of its fork server."""
    failure: Failure | None = None
    imports: int = 0
    ready_since: float = 0.0
    waiting: list[Callable[[Failure | None], None]] = field(default_factory=list)
    timer: asyncio.TimerHandle | None = None
    timeout: float = 0.0
    """Seconds that its import may take."""

    def stale_files(self) -> list[str]:
        """The files it imported that have changed on disk since; first, links on its way that were moved."""
        moved = [written for written, real in self.places if os.path.realpath(written) != real]
        return [*moved, *(changed_files(self.facts.files) if self.facts is not None else ())]
