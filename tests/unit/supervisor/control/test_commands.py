"""Verbs that change something, with a supervisor whose processes do what a test says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from squids.exit_codes import FAILED, OK, TIMED_OUT
from squids.supervisor.control.answers import Answer
from squids.supervisor.control.context import Context
from squids.supervisor.control.dispatch import Dispatch
from squids.supervisor.events import EventKind
from squids.supervisor.file_reload import FileReload
from squids.supervisor.program.events import Wanted
from squids.supervisor.rollout import Rollout
from squids.supervisor.settings import Settings
from tests.support.fleets import Fleet, program, settings_of, steer
from tests.support.loops import until

EMAILS, REPORTS = program("emails"), program("reports")
SAME = "= 0 programs stay as they are"


class Operator:
    """Who asks a fleet's supervisor, whose file is what `read` returns."""

    def __init__(self, fleet: Fleet, read: Callable[[], Settings | list[str]] = list) -> None:
        rollout = Rollout(fleet.supervisor)
        self.file_reload = FileReload(fleet.supervisor, rollout, read)
        self._dispatch = Dispatch(Context(fleet.supervisor, rollout, self.file_reload))

    async def ask(
        self, verb: str, *queues: str, answers: list[Answer] | None = None, **options: Any
    ) -> list[Answer]:
        """All answers. `answers`: a list to which each is added as it comes."""
        found = [] if answers is None else answers
        async for answer in self._dispatch.run(verb, list(queues), options, None):
            found.append(answer)
        return found


def texts_of(answers: list[Answer]) -> list[str]:
    return [answer["text"] for answer in answers if answer["type"] == "text"]


def test_a_scale_that_a_shutdown_cancels_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was said to start with that many."""

    async def work(fleet: Fleet) -> None:
        await fleet.running("emails", "reports")
        fleet.busy = {"reports"}
        asking = asyncio.create_task(Operator(fleet).ask("scale", "emails=3"))
        await until(lambda: fleet["emails"].settings.option("workers") == 3)
        fleet.supervisor.shut_down("SIGTERM")
        scaled, end = await asking
        assert (scaled["ok"], scaled["text"]) == (False, "the supervisor is stopping")
        assert end["code"] == FAILED

    steer(monkeypatch, settings_of(EMAILS, REPORTS), work)


@pytest.mark.parametrize("wait", [True, False])
def test_a_reload_that_waits_for_another_prints_what_it_applies(
    monkeypatch: pytest.MonkeyPatch, wait: bool
) -> None:
    """It printed "nothing changed", compared before the other one, and then changed the queue back."""
    files = [settings_of(replace(EMAILS, nice=5)), settings_of(EMAILS)]

    async def work(fleet: Fleet) -> None:
        await fleet.running("emails")
        operator = Operator(fleet, lambda: files.pop(0))
        fleet.silent = {"emails"}
        first = asyncio.create_task(operator.ask("reload"))
        await until(lambda: operator.file_reload.in_progress)
        answers: list[Answer] = []
        second = asyncio.create_task(operator.ask("reload", answers=answers, wait=wait))
        await until(lambda: texts_of(answers))
        fleet.silent = set()
        assert texts_of(await first) == ["~ emails: nice 0 -> 5", SAME]
        waits = "another reload is in progress: this one starts after it"
        applied = ["~ emails: nice 5 -> 0", SAME]
        later = applied if wait else ["continues in the background; see events and logs"]
        assert texts_of(await second) == [waits, *later]
        await until(lambda: fleet["emails"].settings == EMAILS)

    steer(monkeypatch, settings_of(EMAILS), work)


def test_a_reload_that_nobody_waits_for_prints_its_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(fleet: Fleet) -> None:
        await fleet.running("emails")
        operator = Operator(fleet, lambda: settings_of(replace(EMAILS, nice=5)))
        plan = ["~ emails: nice 0 -> 5", SAME]
        assert texts_of(await operator.ask("reload", dry_run=True)) == plan
        *texts, end = await operator.ask("reload", wait=False)
        assert texts_of(texts) == [*plan, "continues in the background; see events and logs"]
        assert end["code"] == OK
        await until(lambda: fleet["emails"].settings.nice == 5)

    steer(monkeypatch, settings_of(EMAILS), work)


@pytest.mark.parametrize("verb", ["reload", "restart"])
def test_one_that_times_out_ends_with_the_reason(monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    """Its end had code 124 and no error."""

    async def work(fleet: Fleet) -> None:
        await fleet.running("emails")
        fleet.silent = {"emails"}
        operator = Operator(fleet, lambda: settings_of(replace(EMAILS, nice=5)))
        *_, result, end = await operator.ask(verb, timeout=0.2, rolling=True)
        assert not result["ok"]
        assert end == {"type": "end", "code": TIMED_OUT, "error": "timed out after 0.2 s"}

    steer(monkeypatch, settings_of(EMAILS), work)


def test_what_is_held_is_resumed_when_the_client_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not receive anyway is not held; what somebody resumes or stops meanwhile is left as it is."""

    async def work(fleet: Fleet) -> None:
        await fleet.running("emails", "reports")
        operator = Operator(fleet)
        await operator.ask("pause", "reports", wait=False)
        for meanwhile, after, kinds in (
            ("", Wanted.UP, [EventKind.DEBUGGER_GONE]),
            ("resume", Wanted.UP, []),
            ("stop", Wanted.DOWN, []),
        ):
            fleet.noted.clear()
            answers: list[Answer] = []
            asking = asyncio.create_task(operator.ask("hold", answers=answers, timeout=0.01))
            await until(lambda answers=answers: texts_of(answers) == ["holding"])
            assert fleet["emails"].wanted is Wanted.PAUSED
            assert {answer.get("queue") for answer in answers} == {"emails", None}
            if meanwhile:
                await operator.ask(meanwhile, "emails", wait=False)
            asking.cancel()
            await asyncio.wait([asking])
            assert (fleet["emails"].wanted, fleet["reports"].wanted) == (after, Wanted.PAUSED)
            assert [one.kind for one in fleet.of_kind(EventKind.DEBUGGER_GONE)] == kinds

    steer(monkeypatch, settings_of(EMAILS, REPORTS), work)
