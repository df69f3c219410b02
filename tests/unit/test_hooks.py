"""The application's hooks: their order, and what one that raises can stop."""

from __future__ import annotations

import functools
import logging
import sys

import pytest

import squids
from squids.hooks import Hooks
from squids.sqs import QueueStats

RUNS = {
    "pre_send": lambda hooks: hooks.run_pre_send("emails", {"task": "t"}),
    "post_send": lambda hooks: hooks.run_post_send("emails", {"task": "t"}, {"MessageId": "m"}),
    "pre_task": lambda hooks: hooks.run_pre_task("a task"),
    "post_task": lambda hooks: hooks.run_post_task("a task"),
    "report_queue_stats": lambda hooks: hooks.run_report_queue_stats(QueueStats("emails", {"Delayed": "3"})),
    "on_success": lambda hooks: hooks.run_on_success("a job"),
    "on_failure": lambda hooks: hooks.run_on_failure("a job", ValueError()),
    "consumer_start": lambda hooks: hooks.run_consumer_start(),
    "consumer_stop": lambda hooks: hooks.run_consumer_stop(),
    "worker_start": lambda hooks: hooks.run_worker_start(),
    "worker_stop": lambda hooks: hooks.run_worker_stop(),
}
BEFORE = ["pre_send", "pre_task", "consumer_start", "worker_start"]
AFTER = ["consumer_stop", "worker_stop"]
"""The last registered one runs first."""
TOO_LATE = [kind for kind in RUNS if kind not in BEFORE]
ARGUMENTS = {"pre_send": 2, "post_send": 3, "on_failure": 2} | dict.fromkeys(
    ("consumer_start", "worker_start", *AFTER), 0
)


def failing(error: type[BaseException]):
    def hook(*args):
        raise error("no")

    return hook


@pytest.mark.parametrize("kind", RUNS)
def test_they_run_in_the_order_of_their_registration(kind):
    """Each with what it is about. What ends something runs in reverse, as what was opened last is closed first."""
    hooks, seen = Hooks(), []
    for name in ("first", "second"):
        getattr(hooks, kind).append(lambda *args, name=name: seen.append((name, args)))
    RUNS[kind](hooks)
    (first, about), (second, the_same) = seen
    assert (first, second) == (("second", "first") if kind in AFTER else ("first", "second"))
    assert about == the_same and len(about) == ARGUMENTS.get(kind, 1)


@pytest.mark.parametrize("kind", BEFORE)
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
    if kind in AFTER:
        getattr(hooks, kind).reverse()
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


DECORATORS = [*vars(Hooks())]


@pytest.mark.parametrize("kind", DECORATORS)
def test_a_hook_that_would_run_nothing_is_refused_where_it_is_defined(kind):
    """The call of an async function, or of a generator, only makes an object."""
    app = squids.App("shop")

    async def later(*args):
        pass

    def generate(*args):
        yield

    async def generate_later(*args):
        yield

    for hook, runs_nothing in (
        (later, "is async, and nothing would await it: "),
        (functools.partial(later, 1), "is async, and nothing would await it: "),
        (generate, "is a generator, and calling it runs nothing: "),
        (generate_later, "is a generator, and calling it runs nothing: "),
    ):
        with pytest.raises(TypeError) as caught:
            getattr(app, kind)(hook)
        assert runs_nothing in str(caught.value)
        assert kind in str(caught.value)
    assert getattr(app.hooks, kind) == []


def test_a_generator_is_told_how_to_become_a_context():
    app = squids.App("shop")

    def session(job):
        yield

    with pytest.raises(TypeError, match=r"write @contextlib\.contextmanager between"):
        app.around_task(session)


@pytest.mark.parametrize("kind", DECORATORS)
def test_a_decorated_hook_is_still_the_function(kind):
    """It can be called by a test, or registered with another app."""
    app = squids.App("shop")

    def hook(*args):
        pass

    assert getattr(app, kind)(hook) is hook
    assert getattr(app.hooks, kind) == [hook]
