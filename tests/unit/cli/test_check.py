"""What `check` makes of the answers of apps, for people and for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from squids.cli import check as module
from squids.cli.check import check
from squids.exit_codes import ExitCode
from squids.process.cpus import Cpus
from squids.supervisor.settings import AppSpec

FILE = """
app: shop:app
queues:
  emails: {}
  reports: {consumers: 2, start_timeout: 90s}
"""


class Apps:
    """In the place of the apps' processes: their answer, and what they were asked."""

    def __init__(self) -> None:
        self.answer: dict[str, Any] = {
            "tasks": {"emails": ["a", "b"], "reports": ["c"]},
            "names": {"emails": ["emails"], "reports": ["reports"]},
        }
        self.asked: list[tuple[str, dict[str, Any], float]] = []

    def ask(self, app_spec: Any, what: dict[str, Any], timeout: float) -> dict[str, Any]:
        self.asked.append((app_spec.app, what, timeout))
        return self.answer


@pytest.fixture
def apps(monkeypatch: pytest.MonkeyPatch) -> Apps:
    made = Apps()
    monkeypatch.setattr(module, "ask_app", made.ask)
    monkeypatch.setattr(module, "stop_warning", lambda *_: None)
    monkeypatch.setattr(module, "limit_warnings", lambda *_: ["others may need the room"])
    monkeypatch.setattr(module, "find_cpus", lambda: Cpus(2, "CPU limit of the cgroup"))
    return made


@pytest.fixture
def config(tmp_path: Path) -> str:
    (tmp_path / "squids.yaml").write_text(FILE)
    return str(tmp_path / "squids.yaml")


def test_each_queue_is_a_row_with_the_number_of_its_tasks(
    apps: Apps, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A queue with several consumers is one; the most patient of an app counts."""
    assert check(config, aws=False, as_json=False) == ExitCode.OK
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        "emails     ok      2 tasks",
        "reports:2  ok      1 task",
        "a queue without `workers` has 2 workers here (CPU limit of the cgroup)",
        f"{config}: all checks passed",
    ]
    assert printed.err == "warning: others may need the room\n"
    assert apps.asked == [("shop:app", {"do": "check", "queues": ["emails", "reports"], "aws": False}, 90.0)]


def test_a_queue_without_a_task_fails_and_it_is_said_which_have_some(
    apps: Apps, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    apps.answer["tasks"] = {"email": ["a"], "reports": ["c"]}
    assert check(config, aws=False, as_json=False) == ExitCode.CONFIG
    printed = capsys.readouterr().out
    assert "FAILED  shop:app has no task for the queue emails; it has tasks for: email, reports" in printed
    assert printed.endswith(f"{config}: 1 of 2 checks failed\n")


def test_a_queue_with_another_name_in_sqs_has_its_tasks_and_is_named(
    apps: Apps, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    apps.answer = {
        "tasks": {"staging-emails": ["a"], "reports": ["c"]},
        "names": {"emails": ["staging-emails"]},  # An app may leave one out.
    }
    assert check(config, aws=False, as_json=False) == ExitCode.OK
    assert "emails     ok      1 task of staging-emails\n" in capsys.readouterr().out


def test_what_sqs_says_of_a_queue_is_in_its_row(
    apps: Apps, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The calls to AWS have a minute more."""
    apps.answer["queues"] = {
        "emails": [],
        "reports": ["DeleteMessage: access denied", "has no dead-letter queue"],
    }
    assert check(config, aws=True, as_json=False) == ExitCode.CONFIG
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("ok      2 tasks, and SQS agrees")
    assert lines[1].endswith("FAILED  DeleteMessage: access denied; has no dead-letter queue")
    assert apps.asked[0][2] == 150.0


def test_an_app_that_does_not_import_fails_all_its_queues_and_its_traceback_is_shown_once(
    apps: Apps, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    apps.answer = {"error": "importing it failed\nTraceback\n  in shop.py"}
    assert check(config, aws=False, as_json=False) == ExitCode.CONFIG
    printed = capsys.readouterr().out
    assert printed.count("FAILED  shop:app: importing it failed") == 2
    assert printed.count("    Traceback\n      in shop.py") == 1


def test_the_rows_of_an_app_that_does_not_import_name_it_once_and_all_have_the_reason(
    apps: Apps, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second row ended with "Traceback (most recent call last):"."""
    apps.answer = {"error": "Traceback (most recent call last):\n  in shop.py\nImportError: no"}
    assert check(config, aws=False, as_json=False) == ExitCode.CONFIG
    assert capsys.readouterr().out.splitlines()[:-1] == [
        "emails     FAILED  shop:app cannot be imported:",
        "    Traceback (most recent call last):",
        "      in shop.py",
        "    ImportError: no",
        "reports:2  FAILED  shop:app cannot be imported: the same as emails",
    ]
    apps.answer = {"error": "shop:app: module shop has no app"}
    assert check(config, aws=False, as_json=False) == ExitCode.CONFIG
    assert capsys.readouterr().out.splitlines()[:-1] == [
        "emails     FAILED  shop:app: module shop has no app",
        "reports:2  FAILED  shop:app: module shop has no app",
    ]


def test_for_programs_it_is_one_document(apps: Apps, config: str, capsys: pytest.CaptureFixture[str]) -> None:
    apps.answer["tasks"] = {"emails": ["a"]}
    assert check(config, aws=False, as_json=True) == ExitCode.CONFIG
    found = json.loads(capsys.readouterr().out)
    assert (found["type"], found["file"], found["ok"], found["code"]) == ("check", config, False, 78)
    assert found["error"] == "1 of 2 checks failed"
    assert [(row["name"], row["ok"]) for row in found["checks"]] == [("emails", True), ("reports:2", False)]
    assert found["warnings"] == ["others may need the room"]


def test_the_path_of_the_file_moves_no_cursor_and_forges_no_line(
    apps: Apps, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last line had it raw, whether checks passed or failed."""
    path = tmp_path / "a\nb\x1b[2J.yaml"
    path.write_text(FILE)
    assert check(str(path), aws=False, as_json=False) == ExitCode.OK
    assert capsys.readouterr().out.splitlines()[-1] == rf"{tmp_path}/a\nb\x1b[2J.yaml: all checks passed"
    path.write_text("app: shop:app")
    assert check(str(path), aws=False, as_json=False) == ExitCode.CONFIG
    assert capsys.readouterr().err.splitlines()[-1] == rf"{tmp_path}/a\nb\x1b[2J.yaml: 1 mistake"


def test_a_key_or_a_value_forges_no_line_of_the_list_of_mistakes(
    apps: Apps, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line end or a tab in it is shown as an escape, for people and for programs."""
    Path(config).write_text(
        'app: shop:app\nqueues: {emails: {"a\\nb:1:1: x\\t": 3, nice: "1\\nforged", log_level: "\\ty"}}'
    )
    assert check(config, aws=False, as_json=False) == ExitCode.CONFIG
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    assert [r"a\nb:1:1: x\t: unknown key" in lines[0], r'not "1\nforged"' in lines[1]] == [True, True]
    assert r'not "\ty"' in lines[2]
    assert check(config, aws=False, as_json=True) == ExitCode.CONFIG
    assert json.loads(capsys.readouterr().out)["mistakes"] == lines[:3]


def test_a_file_that_is_wrong_is_not_asked_about(
    apps: Apps, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(config).write_text("app: shop:app\nqueues: {emails: {worker: 3}}\nzebra: 1")
    assert check(config, aws=False, as_json=False) == ExitCode.CONFIG
    assert capsys.readouterr().err.endswith(f"{config}: 2 mistakes\n")
    assert check(config, aws=False, as_json=True) == ExitCode.CONFIG
    found = json.loads(capsys.readouterr().out)
    assert len(found["mistakes"]) == 2
    assert apps.asked == []


SPEC = AppSpec(app="shop:app", directory="/srv/shop")


def test_an_app_that_no_file_names_is_checked_for_the_queues_of_its_tasks(apps, monkeypatch):
    asked = []

    def ask(app_spec, what, timeout):
        asked.append(what["do"])
        if what["do"] == "tasks":
            return {"tasks": [{"queue_in_code": "reports"}, {"queue_in_code": "emails"}]}
        return apps.ask(app_spec, what, timeout)

    monkeypatch.setattr(module, "ask_app", ask)
    text, ok = module.check_app(SPEC, None, aws=False, timeout=5.0)
    assert ok and text == "emails   ok      2 tasks\nreports  ok      1 task"
    text, ok = module.check_app(SPEC, "other", aws=False, timeout=5.0)
    assert not ok and "has no task for the queue other" in text
    assert asked == ["tasks", "check"] * 2


def test_an_app_that_no_file_names_may_have_no_tasks_or_no_import(monkeypatch):
    for answer, problem in (({"tasks": []}, "has no tasks"), ({"error": "no module"}, "shop:app: no module")):
        monkeypatch.setattr(module, "ask_app", lambda *_, answer=answer: answer)
        text, ok = module.check_app(SPEC, None, aws=False, timeout=5.0)
        assert not ok and problem in text
