"""One message, run: whatever its task does is an answer."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

import squids
from squids.bounds import ERROR
from squids.delivery import Delivery
from squids.execute import Outcome, execute
from squids.job import JobEnd

Run = Callable[..., Outcome]


@pytest.fixture
def app() -> squids.App:
    return squids.App("shop")


@pytest.fixture
def run(app) -> Run:
    """Run a message that calls the app's only task."""

    def run(*args: Any, sent_at: float | None = None, receive_count: int = 1, **kwargs: Any) -> Outcome:
        (name,) = app.tasks
        body = json.dumps({"task": name, "args": args, "kwargs": kwargs})
        delivery = Delivery("m1", "receipt", body, receive_count, sent_at)
        return execute(delivery, "emails", app.tasks, app.hooks)

    return run


def executed(body: str, app: squids.App) -> Outcome:
    return execute(Delivery("m1", "receipt", body), "emails", app.tasks, app.hooks)


def test_a_task_that_returns_is_done(app, run):
    """With its arguments as JSON made them; what it returns goes nowhere."""
    seen = []

    @app.task("emails")
    def mail(*args, **kwargs):
        seen.append((args, kwargs))
        return "something"

    assert run(1, ["a"], to="ö") == Outcome(JobEnd.DONE, mail.name)
    assert seen == [((1, ["a"]), {"to": "ö"})]


@pytest.mark.parametrize(
    "error", [ValueError("x"), SystemExit(0), GeneratorExit(), BaseExceptionGroup("g", [SystemExit()])]
)
def test_whatever_a_task_raises_is_its_failure(app, run, error):
    """`sys.exit()` in a task does not pass for success, and does not end the worker."""

    @app.task("emails")
    def mail():
        raise error

    outcome = run()
    assert (outcome.end, outcome.task) == (JobEnd.FAILED, mail.name)
    assert outcome.exception is error
    assert type(error).__name__ in outcome.error


def test_ctrl_c_is_no_failure_of_a_task(app, run):
    """A person wants all of it to end."""

    @app.task("emails")
    def mail():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert squids.current_job() is None


def test_a_traceback_begins_with_the_users_code(app, run):
    """Ours is of no use to them."""

    @app.task("emails")
    def mail():
        json.loads("{")

    text = run().traceback
    assert "in mail" in text and "json" in text
    assert "squids/execute.py" not in text


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("{", "the body is not JSON"),
        ('["mail"]', "not an object"),
        ('{"args": []}', 'the body has no "task"'),
        ('{"task": "no.such.task"}', "the app has no task no.such.task"),
        ('{"task": ""}', 'the app has no task ""'),
    ],
)
def test_a_message_that_nobody_can_run_is_a_bad_message(app, body, says):
    """Not a failure of a task. A hook is told nothing of it."""
    app.pre_task(lambda task: pytest.fail("no task runs"))
    outcome = executed(body, app)
    assert (outcome.end, outcome.task, outcome.traceback) == (JobEnd.BAD_MESSAGE, None, None)
    assert says in outcome.error


def test_a_task_that_was_renamed_is_found_out_by_its_name(app):
    @app.task("emails")
    def mail():
        pass

    name = mail.name
    assert f"did you mean {name}?" in executed(json.dumps({"task": name[:-1] + "k"}), app).error


@pytest.mark.parametrize("known", [False, True], ids=["its task", "its arguments"])
def test_what_a_stranger_sends_is_bounded_in_what_is_said_of_it(app, known):
    """A log line is not his to fill."""

    @app.task("emails")
    def mail():
        pass

    task, kwargs = (mail.name, {"x" * 200_000: 1}) if known else ("x" * 200_000, {})
    outcome = executed(json.dumps({"task": task, "kwargs": kwargs}), app)
    assert outcome.end is JobEnd.BAD_MESSAGE
    assert len(outcome.error) < 2 * ERROR


@pytest.mark.parametrize("hook", [False, True], ids=["no hook", "a hook"])
def test_arguments_that_do_not_fit_are_a_bad_message(app, run, hook):
    """And the hook before the task does not run: it would have no end."""
    ran: list[object] = []
    if hook:
        app.pre_task(ran.append)

    @app.task("emails")
    def mail(to, subject="none"):
        ran.append(to)

    outcome = run(1, 2, 3)
    assert (outcome.end, outcome.task) == (JobEnd.BAD_MESSAGE, mail.name)
    assert "the arguments do not fit" in outcome.error and "(to, subject='none')" in outcome.error
    assert ran == []


def test_a_type_error_of_the_task_itself_is_its_failure(app, run):
    """Its arguments fit."""

    @app.task("emails")
    def mail(to):
        return to + 1

    assert run("a").end is JobEnd.FAILED


def test_a_default_that_cannot_be_shown_hides_no_error(app, run):
    """Its repr is somebody else's code."""

    class Odd:
        def __repr__(self):
            raise RuntimeError("no")

    odd = Odd()

    @app.task("emails")
    def mail(to, odd=odd):
        pass

    outcome = run()
    assert outcome.end is JobEnd.BAD_MESSAGE
    assert "mail(...)" in outcome.error


def test_inside_it_the_job_is_known_and_outside_it_is_not(app, run):
    seen = []
    app.pre_task(lambda task: seen.append(squids.current_job().id))
    app.post_task(lambda task: seen.append(squids.current_job().id))

    @app.task("emails")
    def mail(to):
        seen.append(squids.current_job())
        raise ValueError

    run("a", sent_at=1_700_000_000.5, receive_count=3)
    before, job, after = seen
    assert before == after == "m1"
    assert (job.queue, job.task, job.receive_count) == ("emails", mail.name, 3)
    assert (job.args, job.kwargs) == (("a",), {})
    assert job.sent_at == datetime.fromtimestamp(1_700_000_000.5, UTC)
    assert squids.current_job() is None


@pytest.mark.parametrize("sent_at", [None, 1e30, float("nan"), float("-inf")])
def test_a_time_that_no_date_has_costs_no_message(app, run, sent_at):
    """A server may send anything."""
    seen = []

    @app.task("emails")
    def mail():
        seen.append(squids.current_job().sent_at)

    assert run(sent_at=sent_at).end is JobEnd.DONE
    assert seen == [None]


@pytest.mark.parametrize("error", [ValueError("not today"), SystemExit(0)])
def test_a_hook_before_the_task_may_stop_it(app, run, error):
    """The message has failed, and says where; the hook after it has nothing to follow."""

    @app.task("emails")
    def mail():
        raise AssertionError("it ran")

    @app.pre_task
    def forbid(task):
        raise error

    app.post_task(lambda task: pytest.fail("nothing ran"))
    outcome = run()
    assert (outcome.end, outcome.exception) == (JobEnd.FAILED, error)
    assert outcome.error.startswith("in a pre_task hook: ")


def test_a_hook_after_the_task_changes_no_outcome(app, run):
    """It runs also after a failure, and comes too late to make one."""
    seen = []

    @app.task("emails")
    def mail(fails):
        if fails:
            raise LookupError("no such customer")

    @app.post_task
    def clean_up(task):
        seen.append(task is mail)
        sys.exit(1)

    assert run(False).end is JobEnd.DONE
    assert run(True).error == "LookupError: no such customer"
    assert seen == [True, True]
