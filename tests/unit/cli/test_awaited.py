"""What has become of a message, from the answers of a supervisor."""

from __future__ import annotations

from typing import Any

import pytest

from squids.cli.awaited import Awaited, halted
from squids.process.protocol import JobChange


def states(wanted: dict[str, str] | None = None, **states: str) -> dict[str, Any]:
    return {"type": "states", "states": states, "wanted": wanted or {}}


def jobs(*changes: Any) -> dict[str, Any]:
    return {"type": "jobs", "queue": "emails", "changes": [list(pair) for pair in changes]}


def line(**details: Any) -> dict[str, Any]:
    return {"type": "line", "text": "a line", "details": details}


@pytest.fixture
def mine() -> Awaited:
    return Awaited("m1", states(emails="running"), None)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (JobChange.STARTED, None),
        (JobChange.DONE, 0),
        (JobChange.FAILED, 1),
        (JobChange.BAD_MESSAGE, 1),
        (JobChange.WORKER_LOST, 1),
        (JobChange.GIVEN_BACK, None),
    ],
)
def test_each_change_of_its_own_job_ends_the_wait_or_does_not(mine, change, code):
    assert len(JobChange) == 6, "one is missing above"
    mine.hear(jobs(("m2", "failed"), ("m1", change.value)))
    assert mine.exit_code == code


def test_what_happens_to_the_jobs_of_others_is_not_its_own(mine):
    mine.hear(jobs(("m2", "done"), ("m3", "failed")))
    assert mine.exit_code is None


def test_the_first_end_counts(mine):
    """A failed job runs again, and its message is given back for that."""
    mine.hear(jobs(("m1", "started"), ("m1", "failed"), ("m1", "given_back"), ("m1", "done")))
    assert mine.exit_code == 1


def test_a_message_that_was_given_back_runs_later(mine):
    mine.hear(jobs(("m1", "started"), ("m1", "given_back")))
    assert mine.exit_code is None
    mine.hear(jobs(("m1", "started")))
    mine.hear(jobs(("m1", "done")))
    assert mine.exit_code == 0


@pytest.mark.parametrize(
    "changes", [[], [None], ["m1"], [["m1"]], [["m1", None]], [["m1", ["done"]]], [[["m1"], "done"]], [["m1", "?"]], [{}]]
)  # fmt: skip
def test_changes_of_another_shape_say_nothing(mine, changes):
    assert mine.hear({"type": "jobs", "changes": changes}) is None
    assert mine.exit_code is None


@pytest.mark.parametrize("action", ["job_started", "job_done", ["job_done"], None])
def test_lines_decide_nothing(mine, action):
    """They are for people."""
    own = line(action=action, message_id="m1")
    assert mine.shows(own)
    assert mine.hear(own) is None
    assert mine.exit_code is None


def test_all_lines_are_shown_but_those_of_the_good_jobs_of_others(mine):
    assert not mine.shows(line(action="job_started", message_id="m2"))
    assert not mine.shows(line(action="job_done"))
    assert mine.shows(line(action="task_failed", message_id="m2"))
    assert mine.shows(line())


# Why it may have to wait long.


@pytest.mark.parametrize(
    ("now", "text"),
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
def test_a_queue_that_nobody_will_start_is_named(now: dict[str, str], text: str) -> None:
    assert Awaited("m1", states(**now), 5.0).halt == text


@pytest.mark.parametrize(
    "now",
    [{"a": "running"}, {"a": "stopped", "b": "degraded"}, {"a": "backoff"}, {"a": "starting"}, {}],
)
def test_nothing_is_said_where_a_queue_receives_or_will(now: dict[str, str]) -> None:
    assert Awaited("m1", states(**now), None).halt is None


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ({"emails": "down"}, "queue emails is stopping: waiting until it is started"),
        ({"emails": "up"}, None),
        ({"other": "down"}, None),
        (None, None),
        ("down", None),
        ({"emails": ["down"]}, None),
    ],
)
def test_a_queue_that_drains_is_named_unless_it_starts_again(wanted: Any, text: str | None) -> None:
    """One that a reload removed, or that was stopped just before, was waited for silently."""
    assert halted({"states": {"emails": "stopping"}, "wanted": wanted}, None) == text


@pytest.mark.parametrize("now", [None, "paused", ["paused"], {"a": ["paused"]}, {"a": None}, 7])
def test_states_of_another_shape_say_nothing(now: Any) -> None:
    assert halted({"states": now, "wanted": {}}, None) is None


def test_what_stops_while_one_waits_is_named_once_and_again_after_a_start(mine):
    stopping = states({"emails": "down"}, emails="stopping")
    assert mine.hear(stopping) == "queue emails is stopping: waiting until it is started"
    assert mine.hear(states({"emails": "down"}, emails="stopped")) is None, "it was said"
    assert mine.hear(states(emails="starting")) is None
    assert mine.hear(states(emails="fatal")) == "queue emails is fatal: waiting until it is reset"


def test_what_was_named_at_first_is_not_named_again() -> None:
    down = {"emails": "down"}
    stopping = Awaited("m1", states(down, emails="stopping"), 5.0)
    assert stopping.halt is not None
    assert stopping.hear(states(down, emails="stopped")) is None


def test_a_job_that_runs_waits_for_no_queue_until_it_is_given_back(mine):
    """A queue that drains finishes it."""
    assert mine.hear(jobs(("m1", "started"))) is None
    assert mine.hear(states({"emails": "down"}, emails="stopping")) is None
    assert mine.hear(jobs(("m1", "given_back"))) == "queue emails is stopping: waiting until it is started"


def test_a_job_that_ended_waits_for_nothing(mine):
    mine.hear(jobs(("m1", "failed"), ("m1", "given_back")))
    assert mine.hear(states(emails="fatal")) is None
