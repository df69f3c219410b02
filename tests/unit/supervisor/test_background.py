"""Named tasks of the loop that nothing awaits."""

from __future__ import annotations

import asyncio

from squids.supervisor.background import BackgroundTasks


async def raises() -> None:
    raise TypeError("ours")


async def waits() -> None:
    await asyncio.Event().wait()


def test_a_task_that_dies_is_reported_by_its_name_and_a_cancelled_one_is_not() -> None:
    """Else asyncio says at some later time that an exception was never retrieved."""
    died: list[tuple[str, BaseException]] = []

    async def run() -> None:
        tasks = BackgroundTasks(lambda name, error: died.append((name, error)))
        failing, cancelled = tasks.start("one", raises()), tasks.start("two", waits())
        await asyncio.wait([failing])
        cancelled.cancel()
        await asyncio.wait([cancelled])
        await asyncio.sleep(0)  # Callbacks of a task run in the loop's next turn.

    asyncio.run(run())
    ((name, error),) = died
    assert (name, str(error)) == ("one", "ours")
