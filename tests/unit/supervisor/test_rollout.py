"""Rollouts, with a stub in the supervisor's place."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from squids.supervisor.background import BackgroundTasks
from squids.supervisor.events import Event, EventKind, internal_error
from squids.supervisor.rollout import Reloaded, Rollout


class StubSupervisor:
    """What `begin` needs of one."""

    def __init__(self) -> None:
        self.said: list[Event] = []
        self.background = BackgroundTasks(lambda name, error: self.say(internal_error(name, error)))

    def say(self, event: Event) -> None:
        self.said.append(event)


async def one_and_a_bug() -> AsyncIterator[Reloaded]:
    yield Reloaded("emails", True, "running, pid 7")
    raise TypeError("no such state")


def test_a_bug_in_a_rollout_is_a_failure_to_whoever_waits_and_an_error_in_the_log() -> None:
    """A deployment script must not go on because `restart` of a half answered 0."""
    supervisor = StubSupervisor()
    told: list[Reloaded] = []

    async def run() -> None:
        answers = Rollout(supervisor, list).begin(one_and_a_bug())  # type: ignore[arg-type]
        while (outcome := await answers.get()) is not None:
            told.append(outcome)
        while len(supervisor.said) < 2:
            await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(run(), 10))
    assert [outcome.ok for outcome in told] == [True, False]
    assert told[1].text == "the rollout failed: an error inside the supervisor: TypeError: no such state"
    assert [event.kind for event in supervisor.said] == [EventKind.ROLLED_OUT, EventKind.INTERNAL_ERROR]
    assert supervisor.said[1].level == "ERROR"
    assert "in one_and_a_bug" in supervisor.said[1].traceback
