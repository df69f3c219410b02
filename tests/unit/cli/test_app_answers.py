"""Answers of an app's process, which may be another user's code: each has its types, or is none."""

from __future__ import annotations

from typing import Any

import pytest

from squids.cli.app_answers import checked

TASK = {
    "name": "a.b",
    "queue": "emails",
    "queue_in_code": "emails",
    "signature": "()",
    "doc": "",
    "place": "a.py:1",
}
SENT = {"message_id": "1", "queue": "emails", "url": "https://sqs", "task": "a.b"}


@pytest.mark.parametrize(
    ("do", "answer"),
    [
        ("tasks", {"tasks": [TASK]}),
        ("tasks", {"tasks": []}),
        ("tasks", {"tasks": [{**TASK, "aliases": ["b.c"]}]}),
        ("check", {"tasks": {"emails": ["a.b"]}, "names": {"emails": ["emails"]}}),
        ("check", {"tasks": {}, "names": {}, "queues": {"emails": ["no such queue"]}}),
        ("send", SENT),
    ],
)
def test_an_answer_is_taken_as_it_is(do: str, answer: dict[str, Any]) -> None:
    assert checked(do, answer) == answer


@pytest.mark.parametrize("do", ["tasks", "check", "send"])
@pytest.mark.parametrize("name", ["error", "refused"])
def test_why_there_is_none_is_all_that_is_taken_of_it(do: str, name: str) -> None:
    assert checked(do, {name: "no", "hopeless": True, "tasks": 5}) == {name: "no"}
    with pytest.raises(ValueError):
        checked(do, {name: ["no"]})


@pytest.mark.parametrize(
    ("do", "answer"),
    [
        ("tasks", None),
        ("tasks", []),
        ("tasks", {}),
        ("tasks", {"tasks": {"a": TASK}}),
        ("tasks", {"tasks": ["a.b"]}),
        *(("tasks", {"tasks": [{**TASK, name: 5}]}) for name in TASK),
        ("tasks", {"tasks": [{**TASK, "aliases": "b.c"}]}),
        ("tasks", {"tasks": [{**TASK, "aliases": [5]}]}),
        ("check", {"queues": {}}),
        ("check", {"tasks": {}}),
        ("check", {"tasks": {}, "names": {"emails": "emails"}}),
        ("check", {"tasks": {"emails": "a.b"}}),
        ("check", {"tasks": {"emails": [5]}}),
        ("check", {"tasks": {}, "queues": [1]}),
        *(("send", {key: text for key, text in SENT.items() if key != name}) for name in SENT),
    ],
)
def test_what_is_no_answer_is_refused(do: str, answer: Any) -> None:
    with pytest.raises(ValueError):
        checked(do, answer)
