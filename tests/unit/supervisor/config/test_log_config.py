"""`logging` in a file of queues: a mapping or a file, for all or for one, with each mistake at its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from squids.supervisor.config import build
from squids.supervisor.config.difference import difference
from squids.supervisor.config.log_config import read_log_config
from squids.supervisor.settings import Settings

ROOT = "root: {level: INFO}"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(text: str, **environ: str) -> Settings | list[Any]:
    Path("squids.yaml").write_text("app: shop:app\n" + text)
    return build.read("squids.yaml", environ)


def good(text: str, **environ: str) -> Settings:
    found = read(text, **environ)
    assert isinstance(found, Settings), "\n".join(map(str, found))
    return found


def bad(text: str) -> list[str]:
    found = read(text)
    assert isinstance(found, list), "it was accepted"
    return [str(problem) for problem in found]


def configs(settings: Settings) -> dict[str, Any]:
    return {
        program.name: program.app_spec.logging and json.loads(program.app_spec.logging)
        for program in settings.programs
    }


def test_the_nearest_one_counts(here: Path) -> None:
    (here / "conf").mkdir()
    (here / "conf" / "log.json").write_text('{"root": {"level": "ERROR"}}')
    (here / "conf" / "more.yaml").write_text("queues: {orders: {logging: log.json}}")
    settings = good(
        f"logging: {{{ROOT}}}\ninclude: conf/more.yaml\n"
        "queues: {emails: , reports: {logging: {root: {level: DEBUG}}}, quiet: {logging: null}}"
    )
    assert configs(settings) == {
        "emails": {"root": {"level": "INFO"}},
        "reports": {"root": {"level": "DEBUG"}},
        "quiet": None,
        "orders": {"root": {"level": "ERROR"}},
    }
    assert settings.files == tuple(
        str(here / name) for name in ("squids.yaml", "conf/more.yaml", "conf/log.json")
    )


def test_variables_count_in_the_file_of_queues_and_not_in_a_file_of_its_own(here: Path) -> None:
    (here / "log.yaml").write_text(
        "formatters: {a: {format: '${message}', style: $}}\nx-mine: 1\nloggers: {x-ray: {level: INFO}}"
    )
    ours = "{formatters: {a: {format: '$${message}', style: $}}, loggers: {x-ray: {level: '${LEVEL}'}}}"
    found = configs(good(f"queues: {{a: {{logging: log.yaml}}, b: {{logging: {ours}}}}}", LEVEL="INFO"))
    assert (
        found["a"]
        == found["b"]
        == {
            "formatters": {"a": {"format": "${message}", "style": "$"}},
            "loggers": {"x-ray": {"level": "INFO"}},
        }
    )


def test_mistakes_are_at_their_places(here: Path) -> None:
    (here / "log.yaml").write_text("root: {handler: [a]}\n")
    assert bad(
        "defaults: {logging: {root: {level: info}}}\nqueues:\n  a: \n  b: {logging: log.yaml}\n"
        "  c: {logging: nowhere.yaml}\n  d: {logging: [log.yaml]}\n  e: {logging: ''}"
    ) == [
        "squids.yaml:2:36: defaults.logging.root.level: expected a level such as INFO, or its number; did you mean INFO?",
        f"squids.yaml:6:16: queues.c.logging: cannot read {here}/nowhere.yaml: No such file or directory",
        "squids.yaml:7:16: queues.d.logging: expected a file or a mapping, not a list",
        "squids.yaml:8:16: queues.e.logging: is empty",
        'log.yaml:1:8: root.handler: unknown key; did you mean "handlers"?',
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[1]", "log.yaml:1:1: is not a mapping of keys to values"),
        ("", "log.yaml:1:1: is not a mapping of keys to values"),
        ("a: [", "log.yaml:2:1: YAML: while parsing a flow node did not find expected node content"),
        ("propagate: no\n", 'log.yaml:1:12: propagate: YAML reads no as false: write false, or "no"'),
    ],
)
def test_a_file_that_is_none_says_so_at_its_place(here: Path, text: str, expected: str) -> None:
    (here / "log.yaml").write_text(text)
    assert str(read_log_config(str(here / "log.yaml"), lambda _: None).problems[0]) == expected


def test_a_file_that_others_can_change_is_not_read(here: Path) -> None:
    (here / "log.yaml").write_text(ROOT)
    found = read_log_config(str(here / "log.yaml"), lambda _: "any user can write to it")
    assert (found.config, [str(one) for one in found.problems]) == (None, ["any user can write to it"])


def test_a_change_is_named_without_its_contents_and_another_order_is_none(here: Path) -> None:
    (here / "log.yaml").write_text("handlers: {}\nroot: {level: INFO}")
    before = good("queues: {emails: {logging: log.yaml}}")
    (here / "log.yaml").write_text("root: {level: INFO}\nhandlers: {}")
    assert difference(before, good("queues: {emails: {logging: log.yaml}}")).empty
    (here / "log.yaml").write_text("root: {level: ERROR}")
    after = good("queues: {emails: {logging: log.yaml}}")
    assert difference(before, after).lines()[0] == "~ emails: logging"


def test_a_secret_in_it_is_one_like_others(here: Path) -> None:
    handler = "{class: logging.handlers.SMTPHandler, credentials: [ada, hush], formatter: token}"
    settings = good(
        f"logging: {{handlers: {{mail: {handler}}}, formatters: {{token: {{format: '%(message)s'}}}}}}\n"
        "queues: {emails: }"
    )
    assert [warning.partition(": ")[2].partition(": ")[0] for warning in settings.warnings] == [
        "logging.handlers.mail.credentials.0",
        "logging.handlers.mail.credentials.1",
    ]
