"""Rollouts, with a stub in the supervisor's place, and with a supervisor whose processes do what a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from squids.process.protocol import Drain
from squids.supervisor.background import BackgroundTasks
from squids.supervisor.events import Event, EventKind, internal_error
from squids.supervisor.program import events as ev
from squids.supervisor.program.events import ProgramState
from squids.supervisor.rollout import Rollout, RolloutOutcome
from tests.support.fleets import BANK, SHOP, Fleet, program, settings_of, steer
from tests.support.loops import until


class StubSupervisor:
    """What `begin` needs of one."""

    def __init__(self) -> None:
        self.said: list[Event] = []
        self.background = BackgroundTasks(lambda name, error: self.say(internal_error(name, error)))

    def say(self, event: Event) -> None:
        self.said.append(event)


async def one_and_a_bug() -> AsyncIterator[RolloutOutcome]:
    yield RolloutOutcome("emails", True, "running, pid 7")
    raise TypeError("no such state")


def test_a_bug_in_a_rollout_is_a_failure_to_whoever_waits_and_an_error_in_the_log() -> None:
    """A deployment script must not go on because `restart` of a half answered 0."""
    supervisor = StubSupervisor()
    told: list[RolloutOutcome] = []

    async def run() -> None:
        answers = Rollout(supervisor).begin(one_and_a_bug())
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


async def answers_of(outcomes: AsyncIterator[RolloutOutcome]) -> dict[str, RolloutOutcome]:
    return {outcome.name: outcome async for outcome in outcomes}


EMAILS, REPORTS, PAYMENTS = program("emails"), program("reports"), program("payments", BANK)


def test_a_rolling_restart_imports_once_and_lets_the_old_run_until_the_new_receives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What runs of other apps is not touched."""

    async def work(fleet: Fleet) -> None:
        supervisor = fleet.supervisor
        await fleet.running("emails", "reports", "payments")
        before = {name: fleet.pid_of(name) for name in supervisor.programs}
        fleet.silent = {"emails"}
        rollout = Rollout(supervisor)
        answering = asyncio.create_task(
            answers_of(rollout.restart([fleet["emails"], fleet["reports"]], rolling=True, timeout=None))
        )
        await until(
            lambda: len(fleet.consumers("emails")) == 2 and fleet.pid_of("reports") != before["reports"]
        )
        assert fleet.pid_of("emails") == before["emails"], "its new process does not receive yet"
        assert not any(isinstance(frame, Drain) for frame in fleet.consumers("emails")[0].heard)
        fleet.silent = set()
        answers = await answering
        after = {name: fleet.pid_of(name) for name in supervisor.programs}
        assert [answers[name].text for name in ("emails", "reports")] == [
            f"running, pid {after[name]}" for name in ("emails", "reports")
        ]
        assert [server.app for server in fleet.servers] == ["shop:app", "bank:app", "shop:app"]
        assert after["payments"] == before["payments"]
        await until(lambda: not fleet["emails"].draining)
        assert fleet.consumers("emails")[0].over
        assert not supervisor.fork_servers.generations.held

    steer(monkeypatch, settings_of(EMAILS, REPORTS, PAYMENTS), work)


def test_a_restart_that_is_not_rolling_ends_the_old_first(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(fleet: Fleet) -> None:
        await fleet.running("emails")
        fleet.busy = {"emails"}
        rollout = Rollout(fleet.supervisor)
        answering = asyncio.create_task(
            answers_of(rollout.restart([fleet["emails"]], rolling=False, timeout=None))
        )
        await until(lambda: fleet["emails"].state is ProgramState.STOPPING)
        (old,) = fleet.consumers("emails")
        fleet.busy = set()
        answers = await answering
        assert old.over
        assert answers["emails"].ok and fleet["emails"].draining == {}

    steer(monkeypatch, settings_of(EMAILS), work)


def test_where_the_new_code_cannot_be_imported_what_runs_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the programs of that app: the others have theirs."""

    async def work(fleet: Fleet) -> None:
        await fleet.running("emails", "payments")
        old, other = fleet.pid_of("emails"), fleet.pid_of("payments")
        text = 'Traceback (most recent call last):\n  File "/srv/shop.py", line 3\nSyntaxError: not closed'
        fleet.broken["shop:app"] = text
        rollout = Rollout(fleet.supervisor)
        chosen = [fleet["emails"], fleet["payments"]]
        answers = await answers_of(rollout.restart(chosen, rolling=False, timeout=None))
        assert (answers["emails"].ok, answers["emails"].text) == (False, text)
        said = answers["emails"].event().text
        assert said == "the new code does not import: SyntaxError in shop.py:3", "the log has the traceback"
        assert answers["payments"].ok
        assert fleet.pid_of("emails") == old
        assert fleet["emails"].state is ProgramState.RUNNING
        assert fleet.pid_of("payments") != other
        assert len(fleet.consumers("emails")) == 1

    steer(monkeypatch, settings_of(EMAILS, PAYMENTS), work)


def test_a_new_process_that_does_not_come_to_receive_leaves_the_old_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work(fleet: Fleet) -> None:
        await fleet.running("emails")
        old = fleet.pid_of("emails")
        fleet.silent = {"emails"}
        rollout = Rollout(fleet.supervisor)
        answering = asyncio.create_task(
            answers_of(rollout.restart([fleet["emails"]], rolling=True, timeout=None))
        )
        await until(lambda: len(fleet.consumers("emails")) == 2)
        fleet.dies("emails", 3)
        answer = (await answering)["emails"]
        assert not answer.ok
        assert answer.text == (
            "the new process ended before it received: exit 3; the old process keeps running"
        )
        assert fleet.pid_of("emails") == old
        await until(lambda: len(fleet.supervisor.fork_servers.generations) == 1)

    steer(monkeypatch, settings_of(EMAILS), work)


def test_an_import_that_does_not_end_within_the_timeout_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was imported so far is let go of, and does not take over later."""

    async def work(fleet: Fleet) -> None:
        await fleet.running("emails")
        old = fleet.pid_of("emails")
        fleet.importing = {"shop:app"}
        rollout = Rollout(fleet.supervisor)
        answers = await answers_of(rollout.restart([fleet["emails"]], rolling=True, timeout=0.01))
        assert answers["emails"] == RolloutOutcome(
            "emails", False, "the import is not done yet: given up", timed_out=True
        )
        await until(lambda: fleet.servers[1].process.poll() is not None)
        assert fleet.pid_of("emails") == old

    steer(monkeypatch, settings_of(EMAILS), work)


def test_what_is_stopped_while_its_code_is_imported_stays_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last word counts; it starts with the new code when it is started."""

    async def work(fleet: Fleet) -> None:
        await fleet.running("emails")
        fleet.importing = {"shop:app"}
        rollout = Rollout(fleet.supervisor)
        answering = asyncio.create_task(
            answers_of(rollout.restart([fleet["emails"]], rolling=False, timeout=None))
        )
        await until(lambda: len(fleet.servers) == 2)
        fleet.supervisor.feed(fleet["emails"], ev.StopProgram())
        await until(lambda: fleet["emails"].gone)
        fleet.importing = set()
        answer = (await answering)["emails"]
        assert (answer.ok, answer.text) == (True, "is stopped; the change takes effect when it starts")
        assert fleet["emails"].generation == 2

    steer(monkeypatch, settings_of(EMAILS), work)


def test_changed_code_is_tried_first_and_what_cannot_be_imported_is_said_until_it_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`stale` says that the code on disk is not the code that runs."""

    async def work(fleet: Fleet) -> None:
        supervisor = fleet.supervisor
        await fleet.running("emails")
        old = fleet.pid_of("emails")
        rollout = Rollout(supervisor)
        fleet.broken["shop:app"] = "no module named billing"
        failure = await rollout.take_new_code(SHOP, None)
        assert failure is not None
        assert supervisor.stale == {SHOP: "no module named billing"}
        assert fleet.pid_of("emails") == old
        fleet.broken.clear()
        assert await rollout.take_new_code(SHOP, 3.0) is None
        assert supervisor.stale == {}
        await until(lambda: fleet.pid_of("emails") != old)
        await until(lambda: fleet.consumers("emails")[0].heard == [Drain(3.0)])
        await until(lambda: len(supervisor.fork_servers.generations) == 1)

    steer(monkeypatch, settings_of(EMAILS), work)


def test_an_import_that_a_newer_change_gives_up_is_let_go_of(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(fleet: Fleet) -> None:
        await fleet.running("emails")
        fleet.importing = {"shop:app"}
        rollout = Rollout(fleet.supervisor)
        taking = asyncio.create_task(rollout.take_new_code(SHOP, None))
        await until(lambda: len(fleet.servers) == 2)
        taking.cancel()
        await asyncio.wait([taking])
        assert [one.number for one in fleet.supervisor.fork_servers.generations] == [1]
        assert not fleet.supervisor.fork_servers.generations.held
        await until(lambda: fleet.servers[1].process.poll() is not None)

    steer(monkeypatch, settings_of(EMAILS), work)
