"""The variables of a queue's processes: where they come from, and which of them counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from squids.supervisor.config import build as config
from squids.supervisor.config.environment import Variables
from squids.supervisor.settings import Settings

HEAD = "app: shop:app\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def good(here: Path, text: str, **environ: str) -> Settings:
    (here / "squids.yaml").write_text(HEAD + text)
    found = config.read("squids.yaml", environ)
    assert isinstance(found, Settings), "\n".join(map(str, found))
    return found


def bad(here: Path, text: str, **environ: str) -> list[str]:
    (here / "squids.yaml").write_text(HEAD + text)
    found = config.read("squids.yaml", environ)
    assert isinstance(found, list), "it was accepted"
    return [str(problem) for problem in found]


def environment(settings: Settings, queue: str) -> Variables:
    program = settings.program(queue)
    assert program is not None
    return dict(program.app_spec.environment)


def test_later_files_override_earlier_ones_and_the_environment_overrides_all(here: Path) -> None:
    (here / "conf").mkdir()
    for name, text in {
        "a.env": "A=a\nB=a\nC=a\nD=a\nE=a\nF=a",
        "b.env": "B=b\nC=b\nD=b\nE=b\nF=b",
        "c.env": "C=c\nD=c\nE=c\nF=c",
        "conf/d.env": "D=d\nE=d\nF=d\nG=${HOME}",
    }.items():
        (here / name).write_text(text)
    (here / "conf" / "more.yaml").write_text(
        "queues:\n  emails: {env_file: d.env, environment: {F: queue}}\n"
    )
    settings = good(
        here,
        "env_file: [a.env, b.env]\nenvironment: {E: top}\ndefaults: {env_file: c.env}\n"
        "include: conf/more.yaml\nqueues: {reports: }",
        HOME="/home/ada",
    )
    assert environment(settings, "emails") == {
        "A": "a", "B": "b", "C": "c", "D": "d", "E": "top", "F": "queue", "G": "/home/ada",
    }  # fmt: skip
    assert environment(settings, "reports") == {"A": "a", "B": "b", "C": "c", "D": "c", "E": "top", "F": "c"}


def test_the_files_are_watched_with_the_configuration(here: Path) -> None:
    (here / ".env").write_text("A=1\n")
    settings = good(here, "env_file: .env\nqueues: {emails: {env_file: .env}}")
    assert settings.files == (str(here / "squids.yaml"), str(here / ".env"))


def test_a_mistake_in_such_a_file_has_its_line_there_and_is_said_once(here: Path) -> None:
    (here / ".env").write_text("A=1\nno variable\n")
    text = "defaults: {env_file: .env}\nqueues: {emails: , reports: {env_file: nowhere.env}}"
    assert bad(here, text) == [
        f"squids.yaml:3:40: queues.reports.env_file.0: cannot read {here}/nowhere.env: No such file or directory",
        ".env:2:1: defaults.env_file.0: is not a variable such as NAME=value",
    ]


def test_a_prefix_goes_before_each_name_and_to_the_code(here: Path) -> None:
    settings = good(
        here,
        "queue_prefix: staging-\n"
        "queues:\n  emails:\n  films: {queue: movies}\n"
        "  far: {queue: 'arn:aws:sqs:eu-west-1:123456789012:far'}\n",
    )
    assert [program.queue for program in settings.programs] == [
        "staging-emails",
        "staging-movies",
        "arn:aws:sqs:eu-west-1:123456789012:far",
    ]
    for queue in ("emails", "films", "far"):
        found = environment(settings, queue)
        assert found["SQUIDS_QUEUE_PREFIX"] == "staging-"
        assert json.loads(found["SQUIDS_QUEUE_NAMES"] or "") == {"films": "staging-movies"}


@pytest.mark.parametrize("environ", [{}, {"SQUIDS_QUEUE_PREFIX": "x-"}], ids=["", "prefix"])
def test_code_that_names_a_key_finds_its_queue(here: Path, environ: dict[str, str]) -> None:
    """But not where the key is the name of another queue here, or of another kind."""
    text = (
        "queues:\n  emails: {queue: staging-emails}\n  reports:\n  old: {queue: reports}\n"
        "  new: {queue: old}\n  orders: {queue: orders.fifo}\n"
    )
    prefix = environ.get("SQUIDS_QUEUE_PREFIX", "")
    found = environment(good(here, text, **environ), "emails")
    assert found == {
        "SQUIDS_QUEUE_NAMES": json.dumps({"emails": f"{prefix}staging-emails", "new": f"{prefix}old"})
    }


def test_where_names_are_the_same_nothing_is_set(here: Path) -> None:
    assert environment(good(here, "queues: {emails: {queue: emails}, films: }"), "emails") == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("queue_prefix: a/b\nqueues: {emails: }", 'squids.yaml:2:15: queue_prefix: SQUIDS_QUEUE_PREFIX: "a/b" cannot'),
        (f"queue_prefix: {'p' * 79}\nqueues: {{emails: }}", 'squids.yaml:3:18: queues.emails: "ppp'),
        ("environment: {SQUIDS_QUEUE_NAMES: x}\nqueues: {emails: }", "squids.yaml:1:1: SQUIDS_QUEUE_NAMES is not a JSON"),
    ],
)  # fmt: skip
def test_names_that_cannot_be_are_mistakes_at_their_place(here: Path, text: str, says: str) -> None:
    (found,) = bad(here, text)
    assert found.startswith(says)
