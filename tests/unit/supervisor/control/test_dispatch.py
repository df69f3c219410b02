"""Requests that a bug ends, and requests that are wrong, with stubs in the places of supervisor and rollout."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from squids.exit_codes import FAILED, USAGE
from squids.supervisor.background import BackgroundTasks
from squids.supervisor.control.answers import Answer
from squids.supervisor.control.context import Context
from squids.supervisor.control.dispatch import Dispatch
from squids.supervisor.events import Event, EventKind, internal_error
from squids.supervisor.file_reload import FileReload, Plan
from squids.supervisor.history import History
from squids.supervisor.rollout import Rollout, RolloutOutcome


class NoChanges:
    """A file that changes nothing."""

    def lines(self) -> list[str]:
        return []


class StubSupervisor:
    """One without programs."""

    def __init__(self) -> None:
        self.said: list[Event] = []
        self.programs: dict[str, Any] = {}
        self.history = History()
        self.stopping = False
        self.background = BackgroundTasks(lambda name, error: self.say(internal_error(name, error)))

    def say(self, event: Event) -> None:
        self.said.append(event)

    def errors(self) -> list[Event]:
        return [event for event in self.said if event.kind is EventKind.INTERNAL_ERROR]


class BrokenRollout(Rollout):
    """One whose rollouts end with a bug after their first program."""

    async def restart(self, *_: object, **__: object) -> AsyncIterator[RolloutOutcome]:
        yield RolloutOutcome("emails", True, "running, pid 7")
        raise TypeError("no such state")


class BrokenFileReload(FileReload):
    """Its reloads end so too; with `plans` False, so does reading the file."""

    def __init__(self, supervisor: StubSupervisor, rollout: Rollout, plans: bool) -> None:
        super().__init__(supervisor, rollout, list)
        self._plans = plans

    async def plan(self) -> Plan | list[str]:
        if not self._plans:
            raise TypeError("no such state")
        return NoChanges()  # type: ignore[return-value]

    async def apply(self, *_: object, **__: object) -> AsyncIterator[RolloutOutcome]:
        yield RolloutOutcome("emails", True, "running, pid 7")
        raise TypeError("no such state")


def carry_out(verb: str, plans: bool = True, **options: Any) -> tuple[list[Answer], StubSupervisor]:
    """The answers, and the supervisor that they are of."""
    supervisor = StubSupervisor()
    rollout = BrokenRollout(supervisor)
    dispatch = Dispatch(Context(supervisor, rollout, BrokenFileReload(supervisor, rollout, plans)))

    async def run() -> list[Answer]:
        answers = [answer async for answer in dispatch.run(verb, [], options, None)]
        await asyncio.sleep(0)  # Callbacks of a task run in the loop's next turn.
        return answers

    return asyncio.run(asyncio.wait_for(run(), 10)), supervisor


@pytest.mark.parametrize("verb", ["restart", "reload"])
def test_a_bug_in_a_rollout_is_exit_1_and_says_so(verb: str) -> None:
    """Also where programs before it succeeded."""
    answers, supervisor = carry_out(verb)
    done, failed, end = answers
    assert (done["queue"], done["ok"]) == ("emails", True)
    assert failed["text"] == "the rollout failed: an error inside the supervisor: TypeError: no such state"
    assert (failed["ok"], end["type"], end["code"]) == (False, "end", FAILED)
    (error,) = supervisor.errors()
    assert error.level == "ERROR"
    assert "Traceback" in error.traceback


def test_a_bug_in_a_verb_is_exit_1_and_not_a_mistake_of_the_operator() -> None:
    """A TypeError of ours was exit 2, as if the command line were wrong, and left nothing in the log."""
    (end,), supervisor = carry_out("reload", plans=False)
    text = "reload failed: an error inside the supervisor: TypeError: no such state"
    assert end == {"type": "end", "code": FAILED, "error": text}
    (error,) = supervisor.errors()
    assert (error.level, error.text) == ("ERROR", text)
    assert "in plan" in error.traceback


@pytest.mark.parametrize(
    ("verb", "options"),
    [
        ("signal", {"signal": "²"}),
        ("signal", {"signal": "9" * 5000}),
        ("signal", {"signal": ["TERM"]}),
        ("wait", {"for": ["running"]}),
        ("wait", {"timeout": float("nan")}),
        ("wait", {"timeout": 10**400}),
        ("events", {"lines": "many"}),
        ("no-such-verb", {}),
    ],
)
def test_options_of_any_kind_are_mistakes_of_the_client(verb: str, options: dict[str, Any]) -> None:
    """The socket takes any JSON; the log shows no error of ours for it."""
    (*_, end), supervisor = carry_out(verb, **options)
    assert end["code"] == USAGE, end
    assert not supervisor.errors()


def test_the_log_has_what_was_asked_for_and_why_it_was_refused() -> None:
    """One line for each: what was refused has changed nothing."""
    _, supervisor = carry_out("restart", rolling=True, timeout=5, wait=False)
    assert [event.text for event in supervisor.said if event.kind is EventKind.VERB] == [
        "restart --rolling --timeout=5 --wait=False"
    ]
    _, supervisor = carry_out("signal", signal="NOPE")
    assert [event.text for event in supervisor.said] == [
        "signal --signal=NOPE",
        "signal --signal=NOPE: refused: unknown signal NOPE",
    ]
