"""Waiting for something to come true."""

from __future__ import annotations

import asyncio

from squids.supervisor.waiters import Waiters


def test_each_item_is_told_as_it_is_decided_and_the_rest_when_the_time_is_over() -> None:
    """What two look at, verbs and rollouts, each waits for all of theirs."""
    decided: dict[str, int] = {"b": 2}
    told: list[tuple[str, int | None]] = []

    async def run() -> None:
        waiters = Waiters()
        asyncio.get_running_loop().call_soon(lambda: (decided.update(a=1), waiters.look()))
        async for item, said in waiters.each("abc", decided.get, 0.2):
            told.append((item, said))

    asyncio.run(asyncio.wait_for(run(), 10))
    assert told == [("b", 2), ("a", 1), ("c", None)]


def test_without_a_limit_all_are_waited_for() -> None:
    """A time of zero only looks."""
    decided: dict[str, int] = {}

    async def run() -> list[list[tuple[str, int | None]]]:
        waiters = Waiters()
        looked = [pair async for pair in waiters.each("ab", decided.get, 0)]
        asyncio.get_running_loop().call_soon(lambda: (decided.update(a=1, b=2), waiters.look()))
        return [looked, [pair async for pair in waiters.each("ab", decided.get)]]

    looked, waited = asyncio.run(asyncio.wait_for(run(), 10))
    assert looked == [("a", None), ("b", None)]
    assert waited == [("a", 1), ("b", 2)]
