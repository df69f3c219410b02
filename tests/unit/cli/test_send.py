"""What `send --wait` says of a queue that receives nothing."""

from __future__ import annotations

from typing import Any

import pytest

from squids.cli import send as module
from squids.cli.client import VERSIONS_MAY_DIFFER
from squids.cli.send import Outlook, _failure_text, halted, programs_of
from squids.supervisor.settings import AppSpec, ProgramSettings, Settings, SupervisorSettings

SPEC = AppSpec(app="shop:app", directory="/srv/shop")


@pytest.mark.parametrize("name", ["shop.mail", "old.mail", "mail", "letter"])
def test_a_task_is_found_by_any_of_its_names(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """And sent by its own."""
    task = {
        "name": "shop.mail",
        "aliases": ["old.mail", "old.letter"],
        "queue": "emails",
        "queue_in_code": "mails",
    }
    monkeypatch.setattr(module, "ask_app", lambda *asked: {"tasks": [task]})
    settings = Settings(SupervisorSettings(), (ProgramSettings("emails", "emails", SPEC, ()),))
    assert module._find_task(settings, name, None) == (SPEC, "shop.mail", ("emails", "mails"))


@pytest.mark.parametrize(
    ("states", "text"),
    [
        ({"emails": "paused"}, "queue emails is paused: waiting until it is resumed, for at most 5 s"),
        ({"emails": "fatal"}, "queue emails is fatal: waiting until it is reset, for at most 5 s"),
        (
            {"a": "stopped", "b": "paused"},
            "queue a is stopped, queue b is paused: waiting until one is started or resumed, for at most 5 s",
        ),
        (
            {"a": "stopped", "b": "exited"},
            "queue a is stopped, queue b is exited: waiting until one is started, for at most 5 s",
        ),
    ],
)
def test_a_queue_that_nobody_will_start_is_named(states: dict[str, str], text: str) -> None:
    assert halted(states, 5.0) == text


@pytest.mark.parametrize(
    "states",
    [{"a": "running"}, {"a": "stopped", "b": "degraded"}, {"a": "backoff"}, {"a": "starting"}, {}],
)
def test_nothing_is_said_where_a_queue_receives_or_will(states: dict[str, str]) -> None:
    assert halted(states, None) is None


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ({"emails": "down"}, "queue emails is stopping: waiting until it is started"),
        ({"emails": "up"}, None),
        ({"other": "down"}, None),
        (None, None),
        ("down", None),
        ({"emails": ["down"]}, None),
    ],
)
def test_a_queue_that_drains_is_named_unless_it_starts_again(wanted: Any, text: str | None) -> None:
    """One that a reload removed, or that was stopped just before, was waited for silently."""
    assert halted({"emails": "stopping"}, None, wanted) == text


def line(source: str, action: str | None) -> dict[str, Any]:
    return {"type": "line", "source": source, "details": {"action": action}}


def test_what_stops_while_one_waits_is_named_once_and_again_after_a_start() -> None:
    outlook = Outlook(
        {"states": {"emails": "running", "again": "stopping"}, "wanted": {"again": "down"}}, 5.0
    )
    assert outlook.text is None
    assert outlook.halts_with(line("again supervisor", "stopped")) is None
    text = outlook.halts_with(line("emails supervisor", "stopped"))
    assert text == "queue again is stopped, queue emails is stopped: waiting until one is started"
    assert outlook.halts_with(line("emails supervisor", "stopped")) is None, "it was said"
    assert outlook.halts_with(line("emails supervisor", "starting")) is None
    assert outlook.halts_with(line("emails supervisor", "fatal")) is not None


def test_the_end_of_a_drain_that_was_named_is_not_named_again() -> None:
    outlook = Outlook({"states": dict.fromkeys("ab", "stopping"), "wanted": dict.fromkeys("ab", "down")}, 5.0)
    assert outlook.text is not None
    assert outlook.halts_with(line("a supervisor", "stopped")) is None
    assert outlook.halts_with(line("b supervisor", "stopped")) is None


@pytest.mark.parametrize("source", ["emails", "emails/1", "other supervisor", "supervisor", "None"])
def test_only_the_supervisors_own_lines_say_that_a_queue_stops(source: str) -> None:
    """A task may log any action."""
    assert Outlook({"states": {"emails": "running"}}, None).halts_with(line(source, "stopped")) is None


@pytest.mark.parametrize("states", [None, "paused", ["paused"], {"a": ["paused"]}, {"a": None}, 7])
def test_an_answer_of_another_shape_says_nothing(states: Any) -> None:
    assert halted(states, None) is None


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (None, "the supervisor does not answer"),
        ({"type": "end", "error": "the file has no queue emails"}, "the file has no queue emails"),
        (
            {"type": "subscribed"},
            f"the supervisor gave an answer of the unexpected type 'subscribed'; {VERSIONS_MAY_DIFFER}",
        ),
    ],
)
def test_what_comes_instead_of_the_log_says_why(answer: dict[str, Any] | None, text: str) -> None:
    assert _failure_text(answer) == text


def test_a_queue_is_found_by_its_name_in_sqs_or_else_in_the_code() -> None:
    """The file may have the first, and an app with a prefix of its own only the second."""
    spec = AppSpec("shop:app", "/srv")
    programs = (
        ProgramSettings("a", "a", spec, (("queue", "emails"),), sqs_queue="staging-emails"),
        ProgramSettings("b:1", "b", spec, (("queue", "https://sqs.example.com/1/reports"),)),
        ProgramSettings("b:2", "b", spec, (("queue", "https://sqs.example.com/1/reports"),)),
    )
    settings = Settings(SupervisorSettings(), programs)
    assert programs_of(settings, ("staging-emails", "emails")) == ["staging-emails"]
    assert programs_of(settings, ("x-emails", "emails")) == ["staging-emails"]
    assert programs_of(settings, ("reports",)) == ["reports"]
    assert programs_of(settings, ("films",)) == []
