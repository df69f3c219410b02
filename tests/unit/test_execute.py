"""One message, run: whatever its task does is an answer."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from typing import Any

import pytest

import squids
from squids.bounds import ERROR
from squids.delivery import Delivery
from squids.execute import Outcome, execute, interrupted
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


class Reversed:
    """A codec of an application's own."""

    def dumps(self, body):
        return json.dumps(body)[::-1]

    def loads(self, body):
        return json.loads(body[::-1])


def test_a_job_that_an_interrupt_ended_is_told_to_the_hooks_by_its_name():
    """As a worker does, which nobody can interrupt but its task."""
    app = squids.App("shop", json=Reversed())
    seen = []

    @app.task("emails")
    def mail(to): ...

    @app.on_failure
    def tell(job, error):
        seen.append((job.task, job.args, job.queue, error, squids.current_job() is job))

    error = KeyboardInterrupt()
    delivery = Delivery("m1", "receipt", app.json.dumps({"task": mail.name, "args": ["ada"]}))
    outcome = interrupted(delivery, "emails", app.tasks, app.hooks, app.json, error)
    assert (outcome.end, outcome.task, outcome.error) == (JobEnd.FAILED, mail.name, "KeyboardInterrupt")
    assert seen == [(mail.name, ("ada",), "emails", error, True)]
    assert squids.current_job() is None
    unknown = Delivery("m1", "receipt", app.json.dumps({"task": "shop.unknown"}))
    assert interrupted(unknown, "emails", app.tasks, app.hooks, app.json, error).task is None
    assert len(seen) == 1


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


@pytest.fixture
def seen() -> list[Any]:
    return []


@pytest.fixture
def mail(app, seen):
    """A task that raises what the test puts in `error`."""

    @app.task("emails")
    def mail():
        seen.append("task")
        if mail.error is not None:
            raise mail.error

    mail.error = None
    return mail


def around(app, seen, name, *, enter=None, leave=None):
    """Register a context that notes what it sees, and raises what it is given."""

    @app.around_task
    @contextmanager
    def context(job):
        assert squids.current_job() is job
        seen.append(f"enter {name}")
        if enter is not None:
            raise enter
        try:
            yield
        except BaseException as error:
            seen.append(f"{name} saw {error!r}")
            raise
        finally:
            seen.append(f"leave {name}")
            if leave is not None:
                raise leave


def test_contexts_nest_around_hooks_and_task_and_the_end_is_told_after_them(app, run, mail, seen):
    around(app, seen, "outer")
    around(app, seen, "inner")
    app.pre_task(lambda task: seen.append("pre"))
    app.post_task(lambda task: seen.append("post"))
    app.on_success(lambda job: seen.append(("done", job is squids.current_job(), job.task)))
    app.on_failure(lambda job, error: pytest.fail("it succeeded"))
    assert run() == Outcome(JobEnd.DONE, mail.name)
    inside = ["enter outer", "enter inner", "pre", "task", "post", "leave inner", "leave outer"]
    assert seen == [*inside, ("done", True, mail.name)]


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(1)])
def test_contexts_see_what_the_task_raised_and_so_does_the_hook_for_failures(app, run, mail, seen, error):
    """It is the exception itself, with its frames and its cause."""
    mail.error, cause = error, KeyError("why")
    error.__cause__ = cause
    around(app, seen, "it")
    told = []
    app.on_failure(lambda job, raised: told.append((job.task, raised)))
    app.on_success(lambda job: pytest.fail("it failed"))
    outcome = run()
    assert seen == ["enter it", "task", f"it saw {error!r}", "leave it"]
    assert (outcome.end, outcome.exception) == (JobEnd.FAILED, error)
    assert "in mail" in outcome.traceback and "squids/execute.py" not in outcome.traceback
    ((task, raised),) = told
    assert (task, raised, raised.__cause__) == (mail.name, error, cause)
    frames = raised.__traceback__
    while frames.tb_next is not None:
        frames = frames.tb_next
    assert frames.tb_frame.f_code.co_name == "mail"


def test_a_context_cannot_hide_that_the_task_failed(app, run, mail, seen):
    """The message would be deleted, and nothing would show it. The contexts around it are told as well."""
    mail.error = ValueError("no")
    around(app, seen, "transaction")
    app.around_task(lambda job: suppress(ValueError))
    told = []
    app.on_failure(lambda job, error: told.append(error))
    assert run().end is JobEnd.FAILED
    assert "transaction saw ValueError('no')" in seen
    assert told == [mail.error]


def test_a_context_that_fails_at_its_end_fails_the_job(app, run, mail, seen):
    """A commit that fails: the task returned, and still nothing is done. Those around it roll back."""
    broken = RuntimeError("commit failed")
    around(app, seen, "outer")
    around(app, seen, "inner", leave=broken)
    told = []
    app.on_failure(lambda job, error: told.append(error))
    app.on_success(lambda job: pytest.fail("it failed"))
    outcome = run()
    assert (outcome.end, outcome.exception) == (JobEnd.FAILED, broken)
    assert outcome.error == "in an around_task hook: RuntimeError: commit failed"
    assert "outer saw RuntimeError('commit failed')" in seen
    assert told == [broken]


def test_a_context_that_fails_after_the_task_did_keeps_the_first_reason(app, run, mail, seen):
    mail.error = ValueError("no")
    around(app, seen, "it", leave=RuntimeError("rollback failed"))
    outcome = run()
    assert outcome.exception.__context__ is mail.error
    assert "ValueError: no" in outcome.traceback and "rollback failed" in outcome.traceback


@pytest.mark.parametrize("error", [RuntimeError("no connection"), SystemExit(0)])
def test_a_context_that_cannot_be_entered_fails_the_job(app, run, mail, seen, error):
    """The task does not run; what was entered before is left."""
    around(app, seen, "outer")
    around(app, seen, "inner", enter=error)
    told = []
    app.on_failure(lambda job, raised: told.append(raised))
    outcome = run()
    assert (outcome.end, outcome.exception) == (JobEnd.FAILED, error)
    assert outcome.error.startswith("in an around_task hook: ")
    assert seen == ["enter outer", "enter inner", f"outer saw {error!r}", "leave outer"]
    assert told == [error]


def test_what_is_no_context_manager_is_named(app, run, mail, seen):
    @app.around_task
    def forgot(job):
        seen.append("called")

    outcome = run()
    assert "forgot returned None, which is not a context manager" in outcome.error
    assert seen == ["called"]


def test_a_failing_hook_before_the_task_is_seen_by_contexts_and_told(app, run, mail, seen):
    around(app, seen, "it")

    @app.pre_task
    def forbid(task):
        raise ValueError("forbidden")

    told = []
    app.on_failure(lambda job, error: told.append(str(error)))
    assert run().error == "in a pre_task hook: ValueError: forbidden"
    assert seen == ["enter it", "it saw ValueError('forbidden')", "leave it"]
    assert told == ["forbidden"]


def test_ctrl_c_leaves_the_contexts_and_is_no_end_of_the_job(app, run, mail, seen):
    mail.error = KeyboardInterrupt()
    around(app, seen, "it")
    app.on_failure(lambda job, error: pytest.fail("a person wants all of it to end"))
    with pytest.raises(KeyboardInterrupt):
        run()
    assert seen[-1] == "leave it"
    assert squids.current_job() is None


@pytest.mark.parametrize(
    ("body", "task", "args"),
    [("{", "", ()), ('{"task": "no.such.task", "args": [1]}', "no.such.task", (1,)), (None, "mail", (1,))],
    ids=["no call", "no such task", "arguments"],
)
def test_a_message_that_cannot_be_run_is_told_as_a_failure_and_enters_no_context(
    app, mail, seen, body, task, args
):
    """Such as the hook that alerts: the message goes the way of all failures."""
    around(app, seen, "it")
    told = []
    app.on_failure(lambda job, error: told.append((job, error, squids.current_job())))
    outcome = executed(body or json.dumps({"task": mail.name, "args": [1]}), app)
    assert outcome.end is JobEnd.BAD_MESSAGE
    ((job, error, current),) = told
    assert isinstance(error, squids.BadMessage)
    assert str(error) == outcome.error
    assert job is current
    assert (job.id, job.task.rpartition(".")[2] or job.task, job.args) == (
        "m1",
        task.rpartition(".")[2],
        args,
    )
    assert seen == []


@pytest.mark.parametrize("fails", [False, True])
def test_a_hook_for_the_end_that_raises_changes_nothing(app, run, mail, caplog, fails):
    mail.error = ValueError("no") if fails else None

    @app.on_success
    def well(job):
        sys.exit(1)

    @app.on_failure
    def badly(job, error):
        raise LookupError

    assert run().end is (JobEnd.FAILED if fails else JobEnd.DONE)
    (record,) = caplog.records
    assert record.action == "hook_failed"
    assert ("on_failure hook" if fails else "on_success hook") in record.getMessage()


def test_a_context_that_needs_nothing_costs_nothing_else(app, run, mail):
    app.around_task(lambda job: nullcontext())
    assert run() == Outcome(JobEnd.DONE, mail.name)
