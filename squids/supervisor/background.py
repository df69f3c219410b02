"""Background tasks of the loop: each has a name, is kept until it ends, and is reported if it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class BackgroundTasks:
    """Starts background tasks. `on_death` gets the name and the exception of a task that fails."""

    def __init__(self, on_death: Callable[[str, BaseException], None]) -> None:
        self._on_death = on_death
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Start a task and return it. Cancelling it is not a failure."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)  # The loop keeps only weak references.
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._on_death(task.get_name(), error)
