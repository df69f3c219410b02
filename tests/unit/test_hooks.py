"""The application's hooks: their order, and what one that raises can stop."""

from __future__ import annotations

import functools
import logging
import sys

import pytest

from squids.hooks import Hooks
from squids.sqs import QueueStats

RUNS = {
    "pre_send": lambda hooks: hooks.run_pre_send("emails", {"task": "t"}),
    "post_send": lambda hooks: hooks.run_post_send("emails", {"task": "t"}, {"MessageId": "m"}),
    "pre_task": lambda hooks: hooks.run_pre_task("a task"),
    "post_task": lambda hooks: hooks.run_post_task("a task"),
    "report_queue_stats": lambda hooks: hooks.run_report_queue_stats(QueueStats("emails", {"Delayed": "3"})),
}
TOO_LATE = ["post_send", "post_task", "report_queue_stats"]


def failing(error: type[BaseException]):
    def hook(*args):
        raise error("no")

    return hook


@pytest.mark.parametrize("kind", RUNS)
def test_they_run_in_the_order_of_their_registration(kind):
    """Each with what it is about."""
    hooks, seen = Hooks(), []
    for name in ("first", "second"):
        getattr(hooks, kind).append(lambda *args, name=name: seen.append((name, args)))
    RUNS[kind](hooks)
    (first, about), (second, the_same) = seen
    assert (first, second) == ("first", "second")
    assert about == the_same and len(about) == {"pre_send": 2, "post_send": 3}.get(kind, 1)


@pytest.mark.parametrize("kind", ["pre_send", "pre_task"])
@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_one_that_comes_before_may_stop_all_that_follows(kind, error, caplog):
    """What it raises goes to whoever sends, or runs."""
    hooks = Hooks()
    getattr(hooks, kind).extend([failing(error), lambda *_: pytest.fail("the next hook ran")])
    with pytest.raises(error):
        RUNS[kind](hooks)
    assert caplog.records == []


@pytest.mark.parametrize("kind", TOO_LATE)
@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_one_that_comes_too_late_is_logged_and_stops_nothing(kind, error, caplog):
    """Also one that exits: the process is not its to end."""
    hooks, seen = Hooks(), []
    getattr(hooks, kind).extend([failing(error), lambda *args: seen.append(args)])
    RUNS[kind](hooks)
    assert len(seen) == 1
    (record,) = caplog.records
    assert (record.levelno, record.action) == (logging.ERROR, "hook_failed")
    assert kind in record.getMessage() and "failing.<locals>.hook" in record.getMessage()
    assert record.exc_info[0] is error


@pytest.mark.parametrize("kind", RUNS)
def test_ctrl_c_stops_each(kind):
    hooks = Hooks()
    getattr(hooks, kind).append(failing(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        RUNS[kind](hooks)


def test_a_hook_without_a_name_is_named_by_what_it_is(caplog):
    """`functools.partial` makes such."""
    hooks = Hooks()
    hooks.post_task.append(functools.partial(sys.exit, "no"))
    hooks.run_post_task("a task")
    assert "functools.partial" in caplog.records[0].getMessage()
