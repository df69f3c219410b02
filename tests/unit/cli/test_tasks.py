"""What `tasks` prints of the answers of apps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from squids.cli import tasks as module
from squids.cli.tasks import show_tasks
from squids.exit_codes import ExitCode

FILE = """
app: shop:app
queues:
  emails: {start_timeout: 10s}
  reports: {environment: {A: b}, start_timeout: 90s}
  payments: {app: bank:app}
"""

TASK = {
    "name": "shop.send",
    "queue": "emails",
    "queue_in_code": "emails",
    "signature": "(to)",
    "doc": "Write to them.",
    "place": "shop.py:3",
}


class Apps:
    """In the place of the apps' processes."""

    def __init__(self) -> None:
        self.answers: dict[str, dict[str, Any]] = {"shop:app": {"tasks": [TASK]}, "bank:app": {"tasks": []}}
        self.asked: list[tuple[str, float, Any]] = []

    def ask(self, app_spec: Any, what: Any, timeout: float, environment: Any) -> dict[str, Any]:
        self.asked.append((app_spec.app, timeout, environment))
        return self.answers[app_spec.app]


@pytest.fixture
def apps(monkeypatch: pytest.MonkeyPatch) -> Apps:
    made = Apps()
    monkeypatch.setattr(module, "ask_app", made.ask)
    monkeypatch.setattr(module, "local_environment", lambda config: {"AWS_ENDPOINT_URL_SQS": "here"})
    monkeypatch.setattr(module, "width", lambda: 80)
    return made


@pytest.fixture
def config(tmp_path: Path) -> str:
    (tmp_path / "squids.yaml").write_text(FILE)
    return str(tmp_path / "squids.yaml")


def test_each_app_is_asked_once_however_many_environments_it_has(
    apps: Apps, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """And with the local SQS, if the supervisor has one."""
    assert show_tasks(config, as_json=False) == ExitCode.OK
    assert capsys.readouterr().out.splitlines() == [
        "shop:app: 1 task",
        "  shop.send(to)",
        "    queue emails, shop.py:3: Write to them.",
        "bank:app: 0 tasks",
    ]
    local = {"AWS_ENDPOINT_URL_SQS": "here"}
    assert apps.asked == [("shop:app", 10.0, local), ("bank:app", 60.0, local)]


def test_what_an_app_says_is_wrapped_and_moves_no_cursor(
    apps: Apps, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    apps.answers["shop:app"] = {"tasks": [{**TASK, "signature": f"({'argument, ' * 20})", "doc": "\x1b[2J"}]}
    show_tasks(config, as_json=False)
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80
    assert "\x1b" not in printed


def test_a_queue_with_another_name_in_sqs_is_shown_with_both(
    apps: Apps, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    apps.answers["shop:app"] = {"tasks": [{**TASK, "queue": "staging-emails"}]}
    show_tasks(config, as_json=False)
    printed = " ".join(capsys.readouterr().out.split())
    assert "queue staging-emails, emails in the code, shop.py:3" in printed


def test_aliases_are_shown(apps: Apps, config: str, capsys: pytest.CaptureFixture[str]) -> None:
    apps.answers["shop:app"] = {"tasks": [{**TASK, "aliases": ["old.send", "older.send"]}]}
    show_tasks(config, as_json=False)
    assert "    queue emails, shop.py:3, also old.send, older.send: Write to them." in capsys.readouterr().out


def test_an_app_that_does_not_import_does_not_hide_the_others(
    apps: Apps, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    apps.answers["shop:app"] = {"error": "its import took over 10 s"}
    assert show_tasks(config, as_json=False) == ExitCode.CONFIG
    printed = capsys.readouterr()
    assert printed.out == "bank:app: 0 tasks\n"
    assert printed.err == "shop:app: its import took over 10 s\n"


def test_for_programs_it_is_one_document(apps: Apps, config: str, capsys: pytest.CaptureFixture[str]) -> None:
    apps.answers["bank:app"] = {"error": "no"}
    assert show_tasks(config, as_json=True) == ExitCode.CONFIG
    found = json.loads(capsys.readouterr().out)
    assert found == {
        "type": "tasks",
        "answers": [{**TASK, "type": "task", "app": "shop:app"}],
        "code": 78,
        "error": "bank:app: no",
    }


def test_a_file_that_is_wrong_is_not_asked_about(
    apps: Apps, config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(config).write_text("queues: 3")
    assert show_tasks(config, as_json=True) == ExitCode.CONFIG
    printed = capsys.readouterr()
    assert json.loads(printed.out)["code"] == 78
    assert "mistake" in printed.err
    assert apps.asked == []
