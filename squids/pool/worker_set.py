"""What a consumer needs of its workers: processes (`workers`), or its own main thread (`foreground`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

from squids.pool.message import HeldMessage
from squids.pool.settings import PoolSettings


class WorkerView(Protocol):
    """One worker."""

    @property
    def child(self) -> int:
        """Its number, never used again."""

    @property
    def slot(self) -> int:
        """Its place, from 1."""

    @property
    def pid(self) -> int | None:
        """Its process, if known."""

    @property
    def failure(self) -> str:
        """Why it could not start, as it said itself; the log has it once."""

    def started_job(self) -> tuple[int, float] | None:
        """Return the number and monotonic start of the job that runs."""


class WorkerSet(Protocol):
    """The workers of one consumer."""

    wanted: int
    ready: set[int]

    @property
    def trouble(self) -> str | None:
        """Why workers cannot start, if so."""

    @property
    def handles(self) -> Collection[WorkerView]:
        """The workers that there are."""

    def __getitem__(self, child: int) -> Any:
        """Return a worker."""

    def __contains__(self, child: int) -> bool:
        """Whether this worker is there."""

    def start(self) -> None:
        """Start all workers."""

    def resize(self, wanted: int) -> list[int]:
        """Set the wanted number; return the surplus workers, which must be dismissed."""

    def fill(self) -> None:
        """Start those that are missing."""

    def assign(self, child: int, messages: Sequence[HeldMessage]) -> None:
        """Hand a worker messages, to run in this order."""

    def recall(self, child: int) -> None:
        """Ask a worker for what it has not started."""

    def dismiss(self, child: int) -> None:
        """Let an idle worker exit."""

    def kill(self, handle: Any) -> None:
        """End a worker, whatever it runs."""

    async def close(self, within: float) -> None:
        """Have all workers exit; kill those that take longer than `within` seconds."""

    def cut_short(self) -> None:
        """Do not wait any longer for workers that `close` waits for."""


WorkersOf = Callable[[PoolSettings, Any, asyncio.AbstractEventLoop], WorkerSet]
"""Makes the workers of a consumer: its settings, the consumer (`workers.Owner`), and its loop."""
