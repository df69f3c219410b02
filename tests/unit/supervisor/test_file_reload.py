"""Reloads of the file, by a supervisor whose processes do what a test says."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from squids.supervisor import file_reload as module
from squids.supervisor.events import EventKind
from squids.supervisor.file_reload import FileReload, Plan, Read
from squids.supervisor.program.events import ProgramState
from squids.supervisor.removals import Removals
from squids.supervisor.rollout import Rollout, RolloutOutcome, Told
from squids.supervisor.settings import Settings
from tests.support.fleets import BANK, Fleet, program, settings_of, steer
from tests.support.loops import until

EMAILS, REPORTS = program("emails"), program("reports")


STILL_DRAINING = RolloutOutcome("reports", False, "is still draining", timed_out=True, still_draining=True)


class Reload(FileReload):
    """With a view of what is being removed."""

    def __init__(self, fleet: Fleet, read: Read) -> None:
        rollout = Rollout(fleet.supervisor)
        super().__init__(fleet.supervisor, rollout, read)
        self.removals: Removals = rollout.removals

    async def planned(self) -> Plan:
        plan = await self.plan()
        assert isinstance(plan, Plan)
        return plan


async def answers_of(told: AsyncIterator[Told]) -> dict[str, RolloutOutcome]:
    return {one.name: one async for one in told if isinstance(one, RolloutOutcome)}


async def plan_without_busy_reports(fleet: Fleet) -> tuple[Reload, Plan]:
    """A reload that removes a program which drains until the test clears `busy`."""
    await fleet.running("emails", "reports")
    fleet.busy = {"reports"}
    file_reload = Reload(fleet, lambda: settings_of(EMAILS))
    return file_reload, await file_reload.planned()


def test_one_that_takes_over_too_late_is_reported_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The timeout is that of who waits, not of the rollout."""

    async def work(fleet: Fleet) -> None:
        await fleet.running("emails")
        old = fleet.pid_of("emails")
        fleet.silent = {"emails"}
        file_reload = Reload(fleet, lambda: settings_of(replace(EMAILS, nice=5)))
        plan = await file_reload.planned()
        answers = await answers_of(file_reload.apply(plan, 0.01))
        assert (answers["emails"].ok, answers["emails"].timed_out) == (False, True)
        assert answers["emails"].text == "timed out; running: receiving"
        fleet.silent = set()
        await until(lambda: fleet.pid_of("emails") != old)

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
        file_reload = Reload(fleet, lambda: settings_of(EMAILS, changed, added))
        file_reload.on_reload = told.append
        plan = await file_reload.planned()
        answers = await answers_of(file_reload.apply(plan, None))
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
        assert file_reload.removals.names == set()
        assert supervisor.settings == plan.settings

    steer(monkeypatch, settings_of(EMAILS, REPORTS, gone), work)


@pytest.mark.parametrize("apps", ["the same", "another"])
def test_a_reload_that_a_shutdown_cancels_has_failed(monkeypatch: pytest.MonkeyPatch, apps: str) -> None:
    """One that still imported said that the queue would start with the new settings."""
    changed = replace(EMAILS, nice=5) if apps == "the same" else program("emails", BANK)

    async def work(fleet: Fleet) -> None:
        await fleet.running("emails")
        fleet.busy, fleet.silent, fleet.importing = {"emails"}, {"emails"}, {"bank:app"}
        file_reload = Reload(fleet, lambda: settings_of(changed))
        reloading = asyncio.create_task(answers_of(file_reload.apply(await file_reload.planned(), None)))
        await until(lambda: fleet["emails"].replacement is not None or len(fleet.servers) == 2)
        fleet.supervisor.shut_down("SIGTERM")
        fleet.importing = set()
        assert await reloading == {"emails": RolloutOutcome("emails", False, "the supervisor is stopping")}

    steer(monkeypatch, settings_of(EMAILS), work)


def test_a_removed_program_that_drains_for_longer_than_one_waits_is_removed_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was listed as stopped until the next reload."""

    async def work(fleet: Fleet) -> None:
        file_reload, plan = await plan_without_busy_reports(fleet)
        answers = await answers_of(file_reload.apply(plan, 0.01))
        assert answers == {"reports": STILL_DRAINING}
        assert "reports" in fleet.supervisor.programs
        again = await answers_of(file_reload.apply(plan, 0.01))
        assert again == answers, "a second reload waits for it too"
        fleet.busy = set()
        await until(lambda: "reports" not in fleet.supervisor.programs)
        assert file_reload.removals.names == set()
        (removed,) = fleet.of_kind(EventKind.ROLLED_OUT)
        assert (removed.program, removed.text) == ("reports", "stopped and removed")

    steer(monkeypatch, settings_of(EMAILS, REPORTS), work)


@pytest.mark.parametrize("autostart", [True, False])
def test_a_removed_program_that_is_in_the_file_again_is_kept(
    monkeypatch: pytest.MonkeyPatch, autostart: bool
) -> None:
    """It ended, was listed as stopped, and no reload started it: to them, nothing had changed."""
    changed = replace(REPORTS, nice=5, autostart=autostart)

    async def work(fleet: Fleet) -> None:
        await fleet.running("emails", "reports")
        fleet.busy = {"reports"}
        files = [settings_of(EMAILS), settings_of(EMAILS, changed)]
        file_reload = Reload(fleet, lambda: files.pop(0))
        await answers_of(file_reload.apply(await file_reload.planned(), 0.01))
        plan = await file_reload.planned()
        assert plan.lines() == ["+ reports", "= 1 program stays as it is"]
        answering = asyncio.create_task(answers_of(file_reload.apply(plan, None)))
        await until(lambda: not file_reload.removals.names)
        fleet.busy = set()
        answers = await answering
        if autostart:
            assert answers["reports"].ok
            assert fleet["reports"].state is ProgramState.RUNNING
            assert fleet.consumers("reports")[1].spawn.nice == 5
        else:
            await until(lambda: fleet["reports"].gone)
            assert len(fleet.consumers("reports")) == 1
        assert fleet["reports"].settings == changed
        assert not fleet.of_kind(EventKind.INTERNAL_ERROR)

    steer(monkeypatch, settings_of(EMAILS, REPORTS), work)


def test_one_that_is_in_the_file_again_and_drains_for_long_is_said_to_start_after_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """ "stopping: stopped" says neither what is waited for nor that it will start."""

    async def work(fleet: Fleet) -> None:
        file_reload, plan = await plan_without_busy_reports(fleet)
        await answers_of(file_reload.apply(plan, 0.01))
        again = Plan(settings_of(EMAILS, REPORTS), plan.changes)
        late = await answers_of(file_reload.apply(again, 0.01))
        text = "timed out; its old process is still draining; it will start after that"
        assert late == {"reports": RolloutOutcome("reports", False, text, timed_out=True)}
        fleet.busy = set()
        await fleet.running("reports")

    steer(monkeypatch, settings_of(EMAILS, REPORTS), work)


def test_what_a_reload_that_waited_changes_is_compared_and_logged_when_its_turn_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The log said what the file differed in before the reload that it waited for."""
    files = [settings_of(replace(EMAILS, nice=5)), settings_of(EMAILS)]

    async def work(fleet: Fleet) -> None:
        await fleet.running("emails")
        file_reload = Reload(fleet, lambda: files.pop(0))
        fleet.silent = {"emails"}
        first = asyncio.create_task(answers_of(file_reload.apply(await file_reload.planned(), None)))
        await until(lambda: file_reload.in_progress)
        plan = await file_reload.planned()
        assert plan.changes.empty, "the new settings are not applied yet"
        second = asyncio.create_task(answers_of(file_reload.apply(plan, None)))
        fleet.silent = set()
        assert (await first)["emails"].ok
        assert (await second)["emails"].ok
        assert fleet["emails"].settings == EMAILS
        lines = [event.text for event in fleet.of_kind(EventKind.RELOAD)]
        same = "= 0 programs stay as they are"
        assert lines == ["~ emails: nice 0 -> 5", same, "~ emails: nice 5 -> 0", same]

    steer(monkeypatch, settings_of(EMAILS), work)


def test_one_that_is_still_draining_is_a_warning_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to do anything about it."""

    async def work(fleet: Fleet) -> None:
        file_reload, plan = await plan_without_busy_reports(fleet)
        told = file_reload.begin(plan, timeout=0.01)
        while await told.get() is not None:
            pass
        (event,) = fleet.of_kind(EventKind.ROLLED_OUT)
        assert (event.level, event.program, event.text) == ("WARNING", "reports", "is still draining")

    steer(monkeypatch, settings_of(EMAILS, REPORTS), work)


def test_a_reload_that_is_cut_short_locks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the next reload waited for it. What it removes is removed all the same."""

    async def work(fleet: Fleet) -> None:
        file_reload, plan = await plan_without_busy_reports(fleet)
        told: list[bool] = []
        file_reload.on_reload = told.append
        reloading = asyncio.create_task(answers_of(file_reload.apply(plan, None)))
        await until(lambda: file_reload.removals.names == {"reports"})
        reloading.cancel()
        await asyncio.wait([reloading])
        await until(lambda: told == [True, False])
        fleet.busy = set()
        await until(lambda: "reports" not in fleet.supervisor.programs)
        assert await answers_of(file_reload.apply(plan, None)) == {}

    steer(monkeypatch, settings_of(EMAILS, REPORTS), work)


def test_a_second_reload_waits_for_the_first_and_for_no_longer_than_it_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work(fleet: Fleet) -> None:
        file_reload, plan = await plan_without_busy_reports(fleet)
        first = file_reload.begin(plan, timeout=None)
        await until(lambda: file_reload.removals.names == {"reports"})
        second = await answers_of(file_reload.apply(plan, 0.01))
        assert second["*"].text == "another reload is still in progress: nothing of this one was done"
        assert second["*"].timed_out
        third = asyncio.create_task(answers_of(file_reload.apply(plan, None)))
        fleet.busy = set()
        assert [await first.get(), await first.get()] == ["- reports", "= 1 program stays as it is"]
        assert await first.get() == RolloutOutcome("reports", True, "stopped and removed")
        assert await third == {}

    steer(monkeypatch, settings_of(EMAILS, REPORTS), work)


def test_a_file_that_is_wrong_changes_nothing_and_is_said_until_it_is_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`last_error` is what systemd and `status` show in between."""
    read: list[Settings | list[str]] = [["squids.yaml:3:1: unknown key"], settings_of(EMAILS)]

    async def work(fleet: Fleet) -> None:
        file_reload = Reload(fleet, lambda: read.pop(0))
        assert await file_reload.plan() == ["squids.yaml:3:1: unknown key"]
        assert file_reload.last_error == "squids.yaml:3:1: unknown key"
        (failed,) = fleet.of_kind(EventKind.RELOAD_FAILED)
        assert (failed.level, failed.text) == ("ERROR", "squids.yaml:3:1: unknown key")
        assert isinstance(await file_reload.plan(), Plan)
        assert file_reload.last_error is None
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
        file_reload = Reload(fleet, read)
        first, second = await file_reload.plan(), await file_reload.plan()
        assert first == ["the file was not read within 0.01 s: is its file system available?"]
        assert second == ["an earlier read of the file has not returned yet: is its file system available?"]
        await until(lambda: reads)
        assert len(reads) == 1
        back.set()
        monkeypatch.setattr(module, "READ_SECONDS", 20.0)
        while isinstance(await file_reload.plan(), list):
            await asyncio.sleep(0.002)
        assert len(reads) == 2

    steer(monkeypatch, settings_of(EMAILS), work)
