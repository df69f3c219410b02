"""Which task is sent, to whom, and how its answers are read. `test_awaited` has what they mean."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from squids.cli import send as module
from squids.cli.client import VERSIONS_MAY_DIFFER
from squids.cli.send import MAX_LINES, CannotSend, _Answers, _failure_text, programs_of
from squids.exit_codes import UNREACHABLE
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


def answers_of(*answers: dict[str, Any]) -> _Answers:
    """All of them are read by now."""
    read = threading.Event()

    def given() -> Iterator[dict[str, Any]]:
        yield from answers
        read.set()

    made = _Answers(given())
    assert read.wait(60)
    return made


def test_a_typed_answer_is_kept_whatever_the_number_of_lines_before_it() -> None:
    """While the app is imported, nobody takes them: a busy queue prints more than anyone would read."""
    line = {"type": "line", "text": "x"}
    jobs = {"type": "jobs", "changes": []}
    answers = answers_of(*[line] * (MAX_LINES + 7), jobs, line)
    came = []
    while (answer := answers.next(0)) is not None:
        came.append(answer)
    assert came == [*[line] * MAX_LINES, jobs]


def test_no_typed_answer_is_left_out_however_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not read yet waits in the socket."""
    monkeypatch.setattr(module, "MAX_PENDING", 3)
    jobs = [{"type": "jobs", "changes": [[str(number), "done"]]} for number in range(20)]
    answers = _Answers(iter(jobs))
    assert [answers.next(60) for _ in jobs] == jobs


def test_a_supervisor_that_does_not_report_jobs_is_asked_nothing_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One of an earlier version: nothing is sent."""
    monkeypatch.setattr(module.client, "ask", lambda *asked: iter([{"type": "text", "text": ""}]))
    monkeypatch.setattr(module, "ask_app", pytest.fail)
    text = f"nothing was sent: the supervisor gave an answer of the unexpected type 'text'; {VERSIONS_MAY_DIFFER}"
    with pytest.raises(CannotSend, match=re.escape(text)) as raised:
        module._send_and_wait("squids.yaml", SPEC, {}, None, ["emails"], None)
    assert raised.value.code == UNREACHABLE


def test_the_last_lines_are_those_until_the_end() -> None:
    line = {"type": "line", "text": "x"}
    answers = answers_of(line, {"type": "jobs", "changes": []}, line, {"type": "end"}, line)
    assert list(answers.last_lines()) == [line, line]


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
def test_what_comes_instead_of_the_expected_answer_says_why(answer: dict[str, Any] | None, text: str) -> None:
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
