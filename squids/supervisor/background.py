"""Tasks of the loop that nothing awaits: each has a name, is kept until it ends, and is missed if it dies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any


class BackgroundTasks:
    """Starts them. `on_death` is called with the name and the exception of one that dies of an exception."""

    def __init__(self, on_death: Callable[[str, BaseException], None]) -> None:
        self._on_death = on_death
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """The task; to cancel it is no death."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)  # The loop itself keeps weak references only.
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._on_death(task.get_name(), error)
