"""Rollouts, with a stub in the supervisor's place, and with a supervisor whose processes do what a test says."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from squids.process.protocol import Drain
from squids.supervisor import rollout as module
from squids.supervisor.background import BackgroundTasks
from squids.supervisor.events import Event, EventKind, internal_error
from squids.supervisor.program import events as ev
from squids.supervisor.program.events import ProgramState
from squids.supervisor.rollout import Plan, Reloaded, Rollout
from squids.supervisor.settings import Settings
from tests.support.fleets import BANK, SHOP, Fleet, program, settings_of, steer
from tests.support.loops import until


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
        answers = Rollout(supervisor, list).begin(one_and_a_bug())
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


async def answers_of(outcomes: AsyncIterator[Reloaded]) -> dict[str, Reloaded]:
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
        rollout = Rollout(supervisor, list)
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
        await until(lambda: not fleet["emails"].leaving)
        assert fleet.consumers("emails")[0].over
        assert not supervisor.fork_servers.generations.held

    steer(monkeypatch, settings_of(EMAILS, REPORTS, PAYMENTS), work)


def test_a_restart_that_is_not_rolling_ends_the_old_first(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(fleet: Fleet) -> None:
        await fleet.running("emails")
        fleet.busy = {"emails"}
        rollout = Rollout(fleet.supervisor, list)
        answering = asyncio.create_task(
            answers_of(rollout.restart([fleet["emails"]], rolling=False, timeout=None))
        )
        await until(lambda: fleet["emails"].state is ProgramState.STOPPING)
        (old,) = fleet.consumers("emails")
        fleet.busy = set()
        answers = await answering
        assert old.over
        assert answers["emails"].ok and fleet["emails"].leaving == {}

    steer(monkeypatch, settings_of(EMAILS), work)


def test_where_the_new_code_cannot_be_imported_what_runs_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the programs of that app: the others have theirs."""

    async def work(fleet: Fleet) -> None:
        await fleet.running("emails", "payments")
        old, other = fleet.pid_of("emails"), fleet.pid_of("payments")
        fleet.broken["shop:app"] = "SyntaxError: '(' was never closed"
        rollout = Rollout(fleet.supervisor, list)
        chosen = [fleet["emails"], fleet["payments"]]
        answers = await answers_of(rollout.restart(chosen, rolling=False, timeout=None))
        assert answers["emails"] == Reloaded("emails", False, "SyntaxError: '(' was never closed")
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
        rollout = Rollout(fleet.supervisor, list)
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
        rollout = Rollout(fleet.supervisor, list)
        answers = await answers_of(rollout.restart([fleet["emails"]], rolling=True, timeout=0.01))
        assert answers["emails"] == Reloaded(
            "emails", False, "the import is not done yet: given up", timed_out=True
        )
        await until(lambda: fleet.servers[1].process.poll() is not None)
        assert fleet.pid_of("emails") == old

    steer(monkeypatch, settings_of(EMAILS), work)


def test_one_that_takes_over_too_late_is_reported_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The timeout is that of who waits, not of the rollout."""

    async def work(fleet: Fleet) -> None:
        await fleet.running("emails")
        old = fleet.pid_of("emails")
        fleet.silent = {"emails"}
        rollout = Rollout(fleet.supervisor, lambda: settings_of(replace(EMAILS, nice=5)))
        plan = await rollout.plan()
        assert isinstance(plan, Plan)
        answers = await answers_of(rollout.apply(plan, 0.01))
        assert (answers["emails"].ok, answers["emails"].timed_out) == (False, True)
        assert answers["emails"].text == "timed out; running: receiving"
        fleet.silent = set()
        await until(lambda: fleet.pid_of("emails") != old)

    steer(monkeypatch, settings_of(EMAILS), work)


def test_what_is_stopped_while_its_code_is_imported_stays_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last word counts; it starts with the new code when it is started."""

    async def work(fleet: Fleet) -> None:
        await fleet.running("emails")
        fleet.importing = {"shop:app"}
        rollout = Rollout(fleet.supervisor, list)
        answering = asyncio.create_task(
            answers_of(rollout.restart([fleet["emails"]], rolling=False, timeout=None))
        )
        await until(lambda: len(fleet.servers) == 2)
        fleet.supervisor.feed(fleet["emails"], ev.StopProgram())
        await until(lambda: fleet["emails"].gone)
        fleet.importing = set()
        answer = (await answering)["emails"]
        assert (answer.ok, answer.text) == (True, "is stopped; it will start so")
        assert fleet["emails"].generation == 2

    steer(monkeypatch, settings_of(EMAILS), work)


def test_a_reload_touches_what_changed_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """A changed one is replaced from the code that it runs: nothing is imported for it."""
    gone, added = program("gone"), program("added", priority=3)
    changed = replace(REPORTS, nice=5)

    async def work(fleet: Fleet) -> None:
        supervisor = fleet.supervisor
        await fleet.running("emails", "reports", "gone")
        before = {name: fleet.pid_of(name) for name in supervisor.programs}
        told: list[bool] = []
        rollout = Rollout(supervisor, lambda: settings_of(EMAILS, changed, added))
        rollout.on_reload = told.append
        plan = await rollout.plan()
        assert isinstance(plan, Plan)
        answers = await answers_of(rollout.apply(plan, None))
        assert [(name, answers[name].ok) for name in sorted(answers)] == [
            ("added", True),
            ("gone", True),
            ("reports", True),
        ]
        assert answers["gone"].text == "stopped and removed"
        assert sorted(supervisor.programs) == ["added", "emails", "reports"]
        assert fleet.pid_of("emails") == before["emails"]
        assert fleet.pid_of("reports") != before["reports"]
        assert fleet.consumers("reports")[1].spawn.nice == 5
        assert len(fleet.servers) == 1
        assert told == [True, False]
        assert rollout.removing == set()
        assert supervisor.settings == plan.settings

    steer(monkeypatch, settings_of(EMAILS, REPORTS, gone), work)


def test_a_removed_program_that_drains_for_longer_than_one_waits_is_reported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work(fleet: Fleet) -> None:
        await fleet.running("emails", "reports")
        fleet.busy = {"reports"}
        rollout = Rollout(fleet.supervisor, lambda: settings_of(EMAILS))
        plan = await rollout.plan()
        assert isinstance(plan, Plan)
        answers = await answers_of(rollout.apply(plan, 0.01))
        assert answers == {"reports": Reloaded("reports", False, "is still draining", timed_out=True)}
        assert "reports" in fleet.supervisor.programs

    steer(monkeypatch, settings_of(EMAILS, REPORTS), work)


def test_a_reload_that_is_cut_short_leaves_nothing_locked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else `start` refused its removed programs for ever, and the next reload waited for it."""

    async def work(fleet: Fleet) -> None:
        await fleet.running("emails", "reports")
        fleet.busy = {"reports"}
        told: list[bool] = []
        rollout = Rollout(fleet.supervisor, lambda: settings_of(EMAILS))
        rollout.on_reload = told.append
        plan = await rollout.plan()
        assert isinstance(plan, Plan)
        reloading = asyncio.create_task(answers_of(rollout.apply(plan, None)))
        await until(lambda: rollout.removing == {"reports"})
        reloading.cancel()
        await asyncio.wait([reloading])
        await until(lambda: told == [True, False])
        assert rollout.removing == set()
        fleet.busy = set()
        assert (await answers_of(rollout.apply(plan, None)))["reports"].ok

    steer(monkeypatch, settings_of(EMAILS, REPORTS), work)


def test_a_second_reload_waits_for_the_first_and_for_no_longer_than_it_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work(fleet: Fleet) -> None:
        await fleet.running("emails", "reports")
        fleet.busy = {"reports"}
        rollout = Rollout(fleet.supervisor, lambda: settings_of(EMAILS))
        plan = await rollout.plan()
        assert isinstance(plan, Plan)
        first = rollout.begin(rollout.apply(plan, None))
        await until(lambda: rollout.removing == {"reports"})
        second = await answers_of(rollout.apply(plan, 0.01))
        assert second["*"].text == "another reload is still in progress: nothing of this one was done"
        assert second["*"].timed_out
        third = asyncio.create_task(answers_of(rollout.apply(plan, None)))
        fleet.busy = set()
        assert await first.get() == Reloaded("reports", True, "stopped and removed")
        assert await third == {}

    steer(monkeypatch, settings_of(EMAILS, REPORTS), work)


def test_a_file_that_is_wrong_changes_nothing_and_is_said_until_it_is_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`last_error` is what systemd and `status` show in between."""
    read: list[Settings | list[str]] = [["squids.yaml:3:1: unknown key"], settings_of(EMAILS)]

    async def work(fleet: Fleet) -> None:
        rollout = Rollout(fleet.supervisor, lambda: read.pop(0))
        assert await rollout.plan() == ["squids.yaml:3:1: unknown key"]
        assert rollout.last_error == "squids.yaml:3:1: unknown key"
        (failed,) = fleet.of_kind(EventKind.RELOAD_FAILED)
        assert (failed.level, failed.text) == ("ERROR", "squids.yaml:3:1: unknown key")
        assert isinstance(await rollout.plan(), Plan)
        assert rollout.last_error is None
        assert fleet.of_kind(EventKind.RELOAD)[0].text == "the configuration is valid again"

    steer(monkeypatch, settings_of(EMAILS), work)


def test_a_file_system_that_is_away_holds_up_one_read_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_SECONDS", 0.01)
    back = threading.Event()
    reads: list[int] = []

    def read() -> Settings:
        reads.append(1)
        back.wait(20)
        return settings_of(EMAILS)

    async def work(fleet: Fleet) -> None:
        rollout = Rollout(fleet.supervisor, read)
        first, second = await rollout.plan(), await rollout.plan()
        assert first == ["the file was not read within 0.01 s: is its file system available?"]
        assert second == ["an earlier read of the file has not returned yet: is its file system available?"]
        assert len(reads) == 1
        back.set()
        monkeypatch.setattr(module, "READ_SECONDS", 20.0)
        while isinstance(await rollout.plan(), list):
            await asyncio.sleep(0.002)
        assert len(reads) == 2

    steer(monkeypatch, settings_of(EMAILS), work)


def test_changed_code_is_tried_first_and_what_cannot_be_imported_is_said_until_it_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`stale` says that the code on disk is not the code that runs."""

    async def work(fleet: Fleet) -> None:
        supervisor = fleet.supervisor
        await fleet.running("emails")
        old = fleet.pid_of("emails")
        rollout = Rollout(supervisor, list)
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
        rollout = Rollout(fleet.supervisor, list)
        taking = asyncio.create_task(rollout.take_new_code(SHOP, None))
        await until(lambda: len(fleet.servers) == 2)
        taking.cancel()
        await asyncio.wait([taking])
        assert [one.number for one in fleet.supervisor.fork_servers.generations] == [1]
        assert not fleet.supervisor.fork_servers.generations.held
        await until(lambda: fleet.servers[1].process.poll() is not None)

    steer(monkeypatch, settings_of(EMAILS), work)
