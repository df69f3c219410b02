"""What `status` shows of programs in several states."""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from squids.process.figures import ConsumerFigures, ImportFacts, RunningJob
from squids.process.protocol import Degraded, Figures
from squids.supervisor.control.status import pids_of, state_of, status_of, zygotes_of
from squids.supervisor.procfs import Usage
from squids.supervisor.program import events as ev
from squids.supervisor.program.events import ProgramState
from tests.support.fleets import BANK, SHOP, Fleet, program, settings_of, steer
from tests.support.loops import until

EMAILS, REPORTS, PAYMENTS = program("emails"), program("reports"), program("payments", BANK)


def entry(fleet: Fleet, name: str, **seen: Any) -> dict[str, Any]:
    nothing: dict[str, Any] = {"usage": {}, "stale": {}, "stale_alone": {}}
    (found,) = status_of(fleet.supervisor, [name], **{**nothing, **seen})
    return found


async def tells(fleet: Fleet, name: str, frame: Any) -> None:
    """A consumer says something, and it is heard."""
    consumer = fleet.supervisor.consumers.of(fleet[name].current)
    assert consumer is not None
    fleet.consumers(name)[-1].end.send(frame)
    if isinstance(frame, Degraded):
        await until(lambda: consumer.degraded == frame.reason)
    else:
        await until(lambda: consumer.figures == frame.values)


def test_what_is_not_known_yet_is_none_and_not_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program without a process has no figures; whoever sums them up must not take it for an idle one."""

    async def work(fleet: Fleet) -> None:
        found = entry(fleet, "emails")
        assert (found["name"], found["queue"], found["app"]) == ("emails", "emails", "shop:app")
        assert (found["state"], found["wanted"], found["as_wanted"]) == ("starting", "up", False)
        unknown = ("pid", "uptime", "workers", "busy", "held", "done", "failed", "cpu", "memory", "retry_in")
        assert [found[key] for key in unknown] == [None] * len(unknown)
        assert (found["running"], found["leaving"], found["replacement"]) == ([], [], None)
        assert found["code"]["imported_at"] is None
        assert status_of(fleet.supervisor, ["removed meanwhile"], {}, {}, {}) == []

    steer(monkeypatch, settings_of(EMAILS), work)


def test_one_that_runs_shows_its_figures_and_its_oldest_task(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(fleet: Fleet) -> None:
        await fleet.running("emails")
        now = time.monotonic()
        jobs = tuple(RunningJob(n, 4711 + n, f"task{n}", f"id{n}", now - n) for n in (1, 90, 5))
        values = ConsumerFigures(workers=4, ready=3, busy=3, held=9, done=7, failed=2, p50=0.5, running=jobs)
        await tells(fleet, "emails", Figures(values))
        found = entry(fleet, "emails", usage={"emails": Usage(0.5, 1 << 20)})
        assert (found["workers"], found["ready"], found["busy"], found["held"]) == (4, 3, 3, 9)
        assert (found["done"], found["failed"], found["p50"], found["p95"]) == (7, 2, 0.5, None)
        assert [job["task"] for job in found["running"]] == ["task1", "task90", "task5"]
        oldest = found["oldest_task"]
        assert (oldest["task"], oldest["message_id"], oldest["worker"]) == ("task90", "id90", 90)
        assert oldest["seconds"] >= 90.0
        assert (found["cpu"], found["memory"]) == (0.5, 1 << 20)
        assert found["pid"] == fleet.pid_of("emails")
        assert found["uptime"] >= 0.0
        since = datetime.fromisoformat(found["since"]).timestamp()
        assert since <= time.time()
        assert found["as_wanted"]

    steer(monkeypatch, settings_of(EMAILS), work)


def test_degraded_and_paused_are_words_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paused says more than degraded, and counts from the command on, before the consumer has obeyed."""

    async def work(fleet: Fleet) -> None:
        await fleet.running("emails")
        assert state_of(fleet.supervisor, fleet["emails"]) == "running"
        await tells(fleet, "emails", Degraded("no such queue"))
        found = entry(fleet, "emails")
        assert (found["state"], found["degraded"], found["as_wanted"]) == ("degraded", "no such queue", False)
        fleet.supervisor.feed(fleet["emails"], ev.PauseProgram())
        assert state_of(fleet.supervisor, fleet["emails"]) == "paused"
        fleet.supervisor.feed(fleet["emails"], ev.ResumeProgram())
        await tells(fleet, "emails", Degraded(None))
        assert state_of(fleet.supervisor, fleet["emails"]) == "running"
        await tells(fleet, "emails", Figures(ConsumerFigures(paused=True)))
        assert state_of(fleet.supervisor, fleet["emails"]) == "paused", "it has not gone on yet"

    steer(monkeypatch, settings_of(EMAILS), work)


def test_a_death_nobody_asked_for_is_shown_and_when_it_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work(fleet: Fleet) -> None:
        await fleet.running("emails")
        fleet.dies("emails", 3)
        await until(lambda: fleet["emails"].state is ProgramState.BACKOFF)
        found = entry(fleet, "emails")
        assert (found["state"], found["reason"]) == ("backoff", "exit 3")
        assert found["retry_in"] is not None
        assert (found["last_exit"]["cause"], found["last_exit"]["status"]) == ("exit 3", 3)
        fleet.supervisor.feed(fleet["emails"], ev.ResetProgram())
        await fleet.running("emails")
        fleet.supervisor.feed(fleet["emails"], ev.StopProgram())
        await until(lambda: fleet["emails"].gone)
        assert entry(fleet, "emails")["last_exit"]["cause"] == "exit 3", "a stop is no trouble to remember"

    backoff = replace(EMAILS.backoff, first=60.0)  # It is still waited for when this test looks.
    steer(monkeypatch, settings_of(replace(EMAILS, backoff=backoff)), work)


def test_a_hand_over_in_progress_shows_both_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """First the one that is to take over, and then the one that still drains."""

    async def work(fleet: Fleet) -> None:
        await fleet.running("emails")
        old = fleet.pid_of("emails")
        fleet.silent, fleet.busy = {"emails"}, {"emails"}
        fleet.supervisor.feed(fleet["emails"], ev.ReplaceProgram(1, EMAILS))
        await until(lambda: fleet["emails"].replacement is not None and fleet["emails"].replacement.pid)
        new = fleet.consumers("emails")[1].pid
        found = entry(fleet, "emails")
        assert (found["pid"], found["replacement"]) == (old, {"pid": new, "receives": False})
        assert Counter(pids_of(fleet.supervisor, ["emails"])["emails"]) == Counter([old, new])
        fleet.silent = set()
        await until(lambda: fleet.pid_of("emails") == new)
        found = entry(fleet, "emails")
        assert (found["replacement"], found["leaving"]) == (None, [old])

    steer(monkeypatch, settings_of(EMAILS), work)


def test_pids_are_those_of_consumers_and_of_the_workers_that_they_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work(fleet: Fleet) -> None:
        await fleet.running("emails", "payments")
        await tells(fleet, "emails", Figures(ConsumerFigures(pids=(4711, 4712))))
        assert pids_of(fleet.supervisor, ["emails", "unknown"]) == {
            "emails": [fleet.pid_of("emails"), 4711, 4712],
            "unknown": [],
        }

    steer(monkeypatch, settings_of(EMAILS, PAYMENTS), work)


def test_the_code_that_runs_is_told_from_that_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """`stale`, of the program: its newer code does not import; of the code: its files have changed."""

    async def work(fleet: Fleet) -> None:
        await fleet.running("emails")
        fleet.supervisor.stale[SHOP] = "SyntaxError in shop.py:3"
        files = [f"/srv/{n}.py" for n in range(12)]
        found = entry(fleet, "emails", stale={1: files})
        assert found["stale"] == "SyntaxError in shop.py:3"
        code = found["code"]
        assert (code["stale"], code["stale_files"]) == (True, files[:10])
        assert code["imported_at"] == "1970-01-01T00:00:01.000+00:00"
        assert (code["number"], code["imports"], code["shared"]) == (1, 1, True)
        assert code["zygote"] == fleet.servers[0].process.pid
        assert not entry(fleet, "emails")["code"]["stale"]

    steer(monkeypatch, settings_of(EMAILS), work)


def test_where_each_process_imports_for_itself_its_own_import_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two consumers of one app may run different code then."""

    async def work(fleet: Fleet) -> None:
        await fleet.running("emails", "reports")
        generation = fleet.supervisor.fork_servers.generations[1]
        generation.shares = False
        mine = fleet.supervisor.consumers.of(fleet["emails"].current)
        assert mine is not None
        mine.facts = ImportFacts(2.0, ())
        seen = {"stale": {1: ["/srv/of_the_first_import.py"]}, "stale_alone": {mine.child: ["/srv/shop.py"]}}
        code = entry(fleet, "emails", **seen)["code"]
        assert (code["imported_at"], code["stale_files"]) == (
            "1970-01-01T00:00:02.000+00:00",
            ["/srv/shop.py"],
        )
        code = entry(fleet, "reports", **seen)["code"]
        assert (code["imported_at"], code["stale"], code["stale_files"]) == (None, False, [])

    steer(monkeypatch, settings_of(EMAILS, REPORTS), work)


def test_each_import_names_the_programs_that_run_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(fleet: Fleet) -> None:
        fleet.broken["bank:app"] = "no bank"
        await fleet.running("emails", "reports")
        await until(lambda: fleet["payments"].state is ProgramState.FATAL)
        shop, bank = zygotes_of(fleet.supervisor, {})
        assert (shop["app"], shop["state"], shop["programs"]) == ("shop:app", "ready", ["emails", "reports"])
        assert (bank["app"], bank["state"], bank["programs"]) == ("bank:app", "failed", ["payments"])
        assert (bank["failure"], bank["zygote"]) == ("no bank", None)
        assert os.path.exists(f"/proc/{shop['zygote']}")

    steer(monkeypatch, settings_of(EMAILS, REPORTS, PAYMENTS), work)
