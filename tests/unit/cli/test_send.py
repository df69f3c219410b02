"""What `send --wait` says of a queue that receives nothing."""

from __future__ import annotations

from typing import Any

import pytest

from squids.cli.client import VERSIONS_MAY_DIFFER
from squids.cli.send import _failure_text, halted


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


@pytest.mark.parametrize("states", [None, "paused", ["paused"], {"a": ["paused"]}, {"a": None}, 7])
def test_an_answer_of_another_shape_says_nothing(states: Any) -> None:
    assert halted(states, None) is None


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (None, "the supervisor does not answer"),
        ({"type": "end", "error": "its file has no queue emails"}, "its file has no queue emails"),
        (
            {"type": "subscribed"},
            f"the supervisor gave an answer of the unexpected type 'subscribed'; {VERSIONS_MAY_DIFFER}",
        ),
    ],
)
def test_what_comes_instead_of_the_log_says_why(answer: dict[str, Any] | None, text: str) -> None:
    assert _failure_text(answer) == text
