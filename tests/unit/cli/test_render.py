"""How answers look: a table as wide as there is room, and one document for programs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from squids.cli import render
from squids.supervisor.control.verbs import REMOTE

ENTRY: dict[str, Any] = {
    "name": "emails", "state": "running", "seconds": 7300.0, "pid": 4711, "uptime": 7300.0, "restarts": 0,
    "workers": 8, "busy": 3, "held": 16, "done_per_second": 41.25, "failed": 3, "p50": 0.012, "p95": 1.5,
    "oldest_task": {"task": "shop.email_customer", "seconds": 0.2}, "cpu": 0.96, "memory": 64 * 1024**2,
    "last_exit": None, "reason": "receiving", "degraded": None, "retry_in": None, "stale": None,
    "replacement": None, "leaving": [], "code": None,
}  # fmt: skip
WHY: dict[str, Any] = {"queue": "emails", "state": "running", "reason": "", "deaths": []}
SUPERVISOR = {"reload_failed": None, "stopping": False}


def status(*entries: dict[str, Any], columns: int = 200, **supervisor: Any) -> list[str]:
    answer = {"programs": list(entries), "supervisor": SUPERVISOR | supervisor}
    return render.status(answer, columns).splitlines()


def test_why_has_its_reason_in_a_line_and_the_traceback_below() -> None:
    reason = 'Traceback (most recent call last):\n  File "shop.py", line 3\nValueError: no'
    said = render.why({"queue": "emails", "state": "backoff", "reason": reason, "deaths": []}).splitlines()
    assert said == [
        "emails is backoff: ValueError: no",
        *(f"  | {line}" for line in reason.splitlines()),
        "  no consumer of it has died since the supervisor started",
    ]


def test_a_row_has_all_that_there_is_room_for() -> None:
    head, row = status(ENTRY)
    assert head.split()[:4] == ["NAME", "STATE", "FOR", "PID"]
    assert row.split() == [
        "emails", "RUNNING", "2h", "4711", "2h", "0", "3/8", "16", "41.2", "3", "12ms", "1.5s",
        "email_customer", "200ms", "96%", "64M", "-",
    ]  # fmt: skip
    assert "WHY" not in head, "there is nothing to say"


@pytest.mark.parametrize("columns", [20, 40, 80, 120])
def test_columns_go_the_least_important_first(columns: int) -> None:
    entry = ENTRY | {"state": "backoff", "retry_in": 14.2, "reason": "Traceback\nValueError: no"}
    lines = status(entry, columns=columns)
    assert max(map(len, lines)) <= max(columns, 40)
    assert lines[0].startswith("NAME")
    assert "again in 15 s: ValueError: no" in " ".join(" ".join(lines).split())


def test_a_warning_is_said_while_there_is_nothing_worse() -> None:
    warned = ENTRY | {"warnings": ["the app has no task for the queue emails"]}
    assert status(warned)[1].endswith("the app has no task for the queue emails")
    assert status(warned | {"degraded": "no route"})[1].endswith("no route")
    why = render.why({**WHY, "warnings": warned["warnings"]})
    assert "  warning: the app has no task for the queue emails" in why.splitlines()


def test_what_was_cut_is_said_below_the_table() -> None:
    long = "access denied: " + "x" * 90
    lines = status(ENTRY | {"degraded": long}, columns=80)
    assert any(line.startswith("emails: access denied") for line in lines)


def test_changed_code_is_marked_and_explained() -> None:
    lines = status(ENTRY | {"code": {"stale": True}}, stopping=True, reload_failed="squids.yaml:1:1: no")
    assert "RUNNING*" in lines[1]
    assert lines[2].startswith("* the code has changed on disk")
    assert lines[3:] == ["the last reload failed: squids.yaml:1:1: no", "the supervisor is shutting down"]
    assert status() == ["no programs"]


def answers(*found: dict[str, Any], code: int = 0, error: str | None = None) -> list[dict[str, Any]]:
    return [*found, {"type": "end", "code": code, "error": error}]


RESULT = {"type": "result", "queue": "emails", "ok": False, "text": "fatal: exit 78"}


def test_a_verb_prints_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    """json.load of a script reads all of it."""
    assert render.show_all(answers(RESULT, code=1), REMOTE["stop"], as_json=True) == 1
    document = json.loads(capsys.readouterr().out)
    assert document == {"type": "stop", "answers": [RESULT], "code": 1, "error": None}


def test_a_stream_prints_a_line_for_each_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert render.show_all(answers(RESULT), REMOTE["reload"], as_json=True) == 0
    kinds = [json.loads(line)["type"] for line in capsys.readouterr().out.splitlines()]
    assert kinds == ["result", "end"]


def test_people_read_results_on_both_streams(capsys: pytest.CaptureFixture[str]) -> None:
    """What failed is an error, and so is what the end says; control characters are shown, not sent."""
    good = {**RESULT, "ok": True, "text": "stopped\x1b[2J"}
    assert render.show_all(answers(good, RESULT, code=1, error="no"), REMOTE["stop"], as_json=False) == 1
    told = capsys.readouterr()
    assert "\x1b" not in told.out
    assert told.out.startswith("emails: stopped")
    assert told.err.splitlines() == ["emails: fatal: exit 78", "squids-supervisor: no"]


PROGRESS = {"type": "progress\x1b[2J", "done": 3}
"""An answer of a newer supervisor."""


def test_an_answer_of_an_unknown_type_is_an_error_that_names_it_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The verb is not cancelled for it: the answers that follow are shown."""
    good = {**RESULT, "ok": True, "text": "stopped"}
    assert render.show_all(answers(PROGRESS, good, PROGRESS), REMOTE["stop"], as_json=False) == 4
    printed = capsys.readouterr()
    assert printed.out == "emails: stopped\n"
    assert printed.err == (
        "squids-supervisor: the supervisor gave an answer of the unexpected type 'progress\\x1b[2J'; "
        "the versions of the supervisor and of this command may differ\n"
    )


def test_the_code_of_a_failure_outweighs_an_unknown_answer() -> None:
    assert render.show_all(answers(PROGRESS, code=124), REMOTE["stop"], as_json=False) == 124


def test_a_program_reads_answers_of_any_type(capsys: pytest.CaptureFixture[str]) -> None:
    assert render.show_all(answers(PROGRESS), REMOTE["stop"], as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["answers"] == [PROGRESS]


def test_an_answer_without_an_end_is_no_success() -> None:
    assert render.show_all([], REMOTE["stop"], as_json=False) == 4
