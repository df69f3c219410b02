"""Mistakes in our words: each kind that the rules can find, at its place, with what may have been meant."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from squids.supervisor.config.document import Document
from squids.supervisor.config.problems import problem_of
from squids.supervisor.config.rules import FileRules
from squids.supervisor.config.yaml_values import YamlReader


def problems(source: str) -> list[str]:
    """All that the rules find in a source."""
    reader = YamlReader("f", {})
    data = reader.read(source)
    text = Document(data, reader.locations, reader.keys, reader.texts, ["f"])
    with pytest.raises(ValidationError) as caught:
        FileRules.model_validate(data)
    return [str(problem_of(text, detail)) for detail in caught.value.errors()]


def problem(source: str) -> str:
    (found,) = problems(source)
    return found


QUEUE = "app: shop:app\nqueues:\n  emails:\n    "


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("workers: 0", "f:4:14: queues.emails.workers: 0 is less than 1"),
        ("workers: many", 'f:4:14: queues.emails.workers: expected a whole number, not "many"'),
        ("workers: [1]", "f:4:14: queues.emails.workers: expected a whole number, not a list"),
        ("autostart: 1", "f:4:16: queues.emails.autostart: expected true or false, not 1"),
        ("priority: '5'", 'f:4:15: queues.emails.priority: expected a whole number, not "5"'),
        ("nice: 99", "f:4:11: queues.emails.nice: 99 is more than 19"),
        (
            "environment: word",
            'f:4:18: queues.emails.environment: expected a mapping of keys to values, not "word"',
        ),
        ("backoff: 3", "f:4:14: queues.emails.backoff: expected a mapping of keys to values, not 3"),
        ("backoff: {first: 1s, last: 3}", "f:4:26: queues.emails.backoff.last: unknown key"),
        ("limits: {nofile: x}", 'f:4:22: queues.emails.limits.nofile: expected a size such as 512M, not "x"'),
        (
            "start_timeout: soon",
            'f:4:20: queues.emails.start_timeout: expected a time such as 30, 30s or 5m, not "soon"',
        ),
    ],
)
def test_a_value_that_is_wrong_is_said_at_its_place(entry: str, says: str) -> None:
    assert problem(QUEUE + entry).startswith(says)


def test_a_word_that_is_none_of_those_that_there_are_may_be_a_slip() -> None:
    found = problem(QUEUE + "restart: on-failur")
    assert found.startswith("f:4:14: queues.emails.restart: expected always, on-failure or never, not ")
    assert found.endswith("; did you mean on-failure?")
    assert "did you mean" not in problem(QUEUE + "restart: zebra")


def test_a_key_that_there_is_not_may_be_a_slip_or_stand_in_the_wrong_place() -> None:
    """It is named where the key is, not its value; else all that there are are listed."""
    assert problem(QUEUE + "worker: 3") == 'f:4:5: queues.emails.worker: unknown key, did you mean "workers"?'
    assert problem("workers: 3\napp: a:b\nqueues: {q: {}}") == (
        "f:1:1: workers: unknown key; it belongs under defaults, or a queue"
    )
    assert problem(QUEUE + "exit_on: all") == (
        "f:4:5: queues.emails.exit_on: unknown key; it belongs under supervisor"
    )
    assert problem("zebra: 3\napp: a:b\nqueues: {q: {}}").startswith(
        "f:1:1: zebra: unknown key; known keys: app, "
    )
    found = problem(QUEUE + "backoff: {zebra: 1}")
    assert found.endswith("backoff.zebra: unknown key; known keys: first, jitter, max")


def test_what_is_missing_is_said_where_it_is_missing() -> None:
    assert problem(QUEUE + "log_file: {max_size: 1M}") == ("f:4:15: queues.emails.log_file: path is missing")


@pytest.mark.parametrize(
    ("kind", "context", "value", "says"),
    [
        ("string_type", {}, 3, "expected a text, not 3"),
        ("float_type", {}, "x", 'expected a number, not "x"'),
        ("finite_number", {}, 1e999, "expected a smaller number"),
        ("string_too_short", {}, "", "is empty"),
        ("greater_than", {"gt": 0}, 0, "0 is not more than 0"),
        ("list_type", {}, None, "expected a list, not nothing"),
        ("a_kind_of_tomorrow", {}, None, "is not valid: as pydantic says"),
    ],
)
def test_each_kind_has_words(kind: str, context: dict[str, Any], value: object, says: str) -> None:
    """Also one that a later pydantic may bring."""
    reader = YamlReader("f", {})
    text = Document(reader.read("a: 1"), reader.locations, reader.keys)
    detail = {"loc": ("a",), "type": kind, "ctx": context, "input": value, "msg": "as pydantic says"}
    assert str(problem_of(text, detail)) == f"f:1:4: a: {says}"


def test_a_part_of_the_path_that_the_file_has_not_is_left_out() -> None:
    """Of a value with several forms pydantic names the form that it tried, too."""
    reader = YamlReader("f", {})
    text = Document(reader.read("a: {b: 1}"), reader.locations, reader.keys)
    detail = {"loc": ("a", "b", "int"), "type": "int_type", "input": None, "msg": ""}
    assert str(problem_of(text, detail)) == "f:1:8: a.b: expected a whole number, not nothing"
