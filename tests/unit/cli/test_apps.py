"""An app asked about itself, in processes that answer, answer wrong, or do not answer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from squids.cli import apps
from squids.cli.apps import ask_app, error_text, local_environment, report_mistakes
from squids.supervisor.control.place import Untrusted
from squids.supervisor.settings import AppSpec

MARK = 'mark=$(sed \'s/.*"mark": "\\([^"]*\\)".*/\\1/\' /proc/self/fd/$last)'


@pytest.fixture
def interpreter(tmp_path: Path) -> Callable[[str], AppSpec]:
    """An app whose interpreter is a shell's script. It knows `$mark`."""

    def make(script: str) -> AppSpec:
        path = tmp_path / "python"
        path.write_text(f"#!/bin/sh\nfor last; do :; done\n{MARK}\n{script}\n")
        path.chmod(0o755)
        return AppSpec(
            "shop:app", str(tmp_path), python=str(path), environment=(("AWS_PROFILE", "own"), ("A", "b"))
        )

    return make


def test_a_real_app_answers_although_it_prints_and_leaves_a_thread(tmp_path: Path) -> None:
    """It runs in its directory, and in a fresh interpreter."""
    (tmp_path / "shop.py").write_text(
        "import squids, threading, time\nprint('hello')\napp = squids.App('shop')\n"
        "threading.Thread(target=time.sleep, args=(60,)).start()\n"
        "@app.task('emails')\ndef work(): 'Do it.'\n"
    )
    answer = ask_app(AppSpec("shop:app", str(tmp_path)), {"do": "tasks"}, 60.0)
    (task,) = answer["tasks"]
    assert (task["name"], task["doc"], task["place"]) == ("shop.work", "Do it.", "shop.py:5")


def test_the_answer_is_behind_the_mark_whatever_else_is_printed(interpreter: Any) -> None:
    app_spec = interpreter("""echo '{"tasks": 5}'; echo "$mark{\\"tasks\\": []}"; echo more""")
    assert ask_app(app_spec, {"do": "tasks"}, 20.0) == {"tasks": []}


@pytest.mark.parametrize("answer", ["no json", '{\\"tasks\\": 5}', "[[[", "[" * 100_000])
def test_an_answer_that_cannot_be_understood_is_an_error(answer: str, interpreter: Any) -> None:
    found = ask_app(interpreter(f'echo "${{mark}}{answer}"'), {"do": "tasks"}, 20.0)
    assert found == {"error": "its process gave an answer that cannot be understood"}


def test_a_process_that_ends_without_an_answer_says_what_it_said_last(interpreter: Any) -> None:
    found = ask_app(interpreter("echo out; echo 'no such library' >&2; exit 3"), {"do": "tasks"}, 20.0)
    assert found == {"error": "importing it ended the process with 3:\nno such library"}
    found = ask_app(interpreter("echo out; kill -9 $$"), {"do": "tasks"}, 20.0)
    assert found == {"error": "importing it ended the process with -9:\nout"}


def test_of_one_that_prints_without_end_the_end_is_kept(
    interpreter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apps, "MAX_OUTPUT", 100)
    app_spec = interpreter("""seq 100000; echo "$mark{\\"tasks\\": []}" """)
    assert ask_app(app_spec, {"do": "tasks"}, 20.0) == {"tasks": []}


def test_one_that_does_not_end_is_killed(interpreter: Any, tmp_path: Path) -> None:
    app_spec = interpreter(f"echo $$ > {tmp_path}/pid; exec sleep 60")
    assert ask_app(app_spec, {"do": "tasks"}, 0.3) == {"error": "its import took over 0.3 s"}
    written = tmp_path / "pid"
    pid = written.read_text().strip() if written.exists() else ""  # It may have come no further.
    assert not pid or not os.path.exists(f"/proc/{pid}")


def test_an_interpreter_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = str(tmp_path / "python")
    found = ask_app(AppSpec("shop:app", str(tmp_path), python=path), {"do": "tasks"}, 20.0)
    assert found == {"error": f"cannot start {path}: No such file or directory"}


def test_a_local_sqs_is_all_of_aws_that_it_sees(interpreter: Any) -> None:
    app_spec = interpreter("""env | grep -E '^(AWS|A=)' | sort >&2; exit 1""")
    found = ask_app(app_spec, {"do": "tasks"}, 20.0, {"AWS_ENDPOINT_URL_SQS": "http://127.0.0.1:1"})
    assert found["error"].splitlines()[1:] == ["A=b", "AWS_ENDPOINT_URL_SQS=http://127.0.0.1:1"]
    assert "AWS_PROFILE=own" in ask_app(app_spec, {"do": "tasks"}, 20.0)["error"]


def test_an_error_names_the_app_once_and_its_traceback_comes_below() -> None:
    app_spec = AppSpec("shop:app", "/srv")
    assert error_text(app_spec, "took over 3 s") == "shop:app: took over 3 s"
    assert error_text(app_spec, "shop:app is no app") == "shop:app is no app"
    assert error_text(app_spec, "Traceback\n  x") == "shop:app cannot be imported:\nTraceback\n  x"
    assert error_text(app_spec, "importing it\nfailed") == "shop:app: importing it\nfailed"


def test_mistakes_are_printed_with_their_number_and_move_no_cursor(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("squids.yaml").touch()
    report_mistakes("squids.yaml", ["f:1:1: a\x1b[2J", "f:2:1: b"])
    assert capsys.readouterr().err == "f:1:1: a\\x1b[2J\nf:2:1: b\nsquids.yaml: 2 mistakes\n"


@pytest.mark.parametrize(
    "first", [{"type": "local", "endpoint": None}, {"type": "end", "endpoint": "http://127.0.0.1:1"}, None]
)
def test_without_a_local_sqs_nothing_leads_to_one(first: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apps.client, "ask", answering([first] if first is not None else []))
    assert local_environment("squids.yaml") is None


def answering(answers: list[dict[str, Any]]) -> Callable[..., Iterator[dict[str, Any]]]:
    return lambda *_: (answer for answer in answers)


def test_of_a_local_sqs_the_port_alone_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever answers in a supervisor's place could else have messages sent to a machine of theirs."""
    local = {"type": "local", "endpoint": "http://127.0.0.1:4566"}
    monkeypatch.setattr(apps.client, "ask", answering([local]))
    found = local_environment("squids.yaml")
    assert found is not None
    assert found["AWS_ENDPOINT_URL_SQS"] == "http://127.0.0.1:4566"
    monkeypatch.setattr(apps.client, "ask", answering([{**local, "endpoint": "http://evil.example:80"}]))
    with pytest.raises(Untrusted, match="not on this machine"):
        local_environment("squids.yaml")


def test_an_answer_of_an_unknown_type_is_not_taken_for_no_local_sqs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it means is unknown, so a message could go to the wrong SQS."""
    monkeypatch.setattr(apps.client, "ask", answering([{"type": "endpoints"}]))
    with pytest.raises(apps.client.Unreachable, match="unexpected type 'endpoints'; the versions"):
        local_environment("squids.yaml")


def test_a_supervisor_that_does_not_answer_has_no_local_sqs(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(*_: Any) -> Iterator[dict[str, Any]]:
        raise apps.client.Unreachable("nobody")
        yield {}

    monkeypatch.setattr(apps.client, "ask", ask)
    assert local_environment("squids.yaml") is None
