"""A send that runs the task before it returns."""

from __future__ import annotations

import threading
from contextlib import contextmanager

import botocore.exceptions
import pytest

import squids
import squids.testing


@pytest.fixture
def app():
    return squids.App("eager")


def test_a_send_runs_the_task_with_what_json_makes_of_its_arguments(app):
    seen = []

    @app.task("emails")
    def work(*args, **kwargs):
        seen.append((args, kwargs, squids.current_job().queue, squids.current_job().receive_count))

    with squids.testing.eager(app):
        response = work.send(("a", "tuple"), to={1: None})
    assert seen == [((["a", "tuple"],), {"to": {"1": None}}, "emails", 1)]
    assert response["MessageId"]


def test_what_the_task_raises_is_raised_by_send(app):
    @app.task("emails")
    def work():
        raise LookupError("no such customer")

    with squids.testing.eager(app), pytest.raises(LookupError, match="no such customer"):
        work.send()


def test_hooks_run_in_the_order_of_a_real_message(app):
    order: list[object] = []
    app.pre_send(lambda queue, body: order.append(("pre_send", queue, body["task"])))
    app.post_send(lambda queue, body, response: order.append(("post_send", bool(response["MessageId"]))))
    app.pre_task(lambda task: order.append("pre_task"))
    app.post_task(lambda task: order.append("post_task"))

    @app.task("emails")
    def work():
        order.append("run")

    with squids.testing.eager(app):
        work.send()
    assert order == [("pre_send", "emails", work.name), ("post_send", True), "pre_task", "run", "post_task"]


def test_a_task_may_send_others(app):
    seen = []

    @app.task("emails")
    def inner(n):
        seen.append(n)

    @app.task("emails")
    def outer():
        inner.send(1)
        seen.append("outer")
        inner.send(2)

    with squids.testing.eager(app):
        outer.send()
    assert seen == [1, "outer", 2]


@pytest.mark.parametrize(
    ("queue", "options", "error"),
    [
        ("emails", {"DelaySecond": 1}, TypeError),
        ("emails", {"DelaySeconds": "soon"}, botocore.exceptions.ParamValidationError),
        ("emails", {"DelaySeconds": 901}, botocore.exceptions.ClientError),
        ("orders.fifo", {}, botocore.exceptions.ClientError),
        ("orders.fifo", {"MessageGroupId": "a", "DelaySeconds": 3}, botocore.exceptions.ClientError),
    ],
)
def test_options_that_sqs_refuses_are_refused_and_nothing_runs(app, queue, options, error):
    seen = []

    @app.task(queue)
    def work():
        seen.append(1)

    with squids.testing.eager(app), pytest.raises(error):
        work.send_job(options=options)
    assert not seen


def test_a_body_that_sqs_would_not_take_is_refused(app):
    @app.task("emails")
    def work(text):
        pass

    with squids.testing.eager(app), pytest.raises(botocore.exceptions.ClientError, match="shorter"):
        work.send("x" * 1_048_577)


def test_a_message_that_a_hook_spoiled_is_a_bad_message(app):
    app.pre_send(lambda queue, body: body.update(task="nobody.knows"))

    @app.task("emails")
    def work():
        pass

    with squids.testing.eager(app), pytest.raises(squids.BadMessage, match=r"nobody\.knows"):
        work.send()


def test_without_a_name_all_apps_are_meant(app):
    seen = []

    @app.task("emails")
    def work():
        seen.append(1)

    with squids.testing.eager():
        work.send()
    assert seen == [1]


def test_an_app_that_is_made_within_it_is_meant_too():
    """Imported lazily by what the test calls."""
    seen = []
    with squids.testing.eager():
        app = squids.App("late")

        @app.task("emails")
        def work():
            seen.append(1)

        work.send()
    assert seen == [1]


def test_each_thread_runs_what_it_sent(app):
    """This one's send comes before the other's task runs, and its run after that."""
    ran_by = {}

    @app.task("emails")
    def work(name):
        ran_by[name] = threading.current_thread().name

    with squids.testing.eager(app):
        run_then = app.hooks.run_post_send
        sent, both_sent = threading.Event(), threading.Event()

        def wait_then_run(*arguments):
            if threading.current_thread() is other:
                sent.set()
                both_sent.wait(10)
            else:
                both_sent.set()
                other.join(10)
            run_then(*arguments)

        app.hooks.run_post_send = wait_then_run
        other = threading.Thread(target=lambda: work.send("other"), name="other")
        other.start()
        sent.wait(10)
        work.send("this")
    assert ran_by == {"other": "other", "this": threading.current_thread().name}


def test_afterwards_a_send_is_a_real_one_again(app, monkeypatch):
    monkeypatch.setattr("squids.sqs.SQS.send", lambda *args: {"MessageId": "real"})

    @app.task("emails")
    def work():
        raise AssertionError("not here")

    with squids.testing.eager(app):
        pass
    assert work.send() == {"MessageId": "real"}


def test_contexts_and_the_hooks_for_the_end_run_as_in_a_worker(app):
    seen = []

    @app.around_task
    @contextmanager
    def session(job):
        seen.append("open")
        yield
        seen.append("commit")

    app.on_success(lambda job: seen.append(job.args))
    app.on_failure(lambda job, error: seen.append(error))

    @app.task("emails")
    def work(number):
        if number < 0:
            raise ValueError(number)

    with squids.testing.eager(app):
        work.send(1)
        with pytest.raises(ValueError) as caught:
            work.send(-1)
    assert seen == ["open", "commit", (1,), "open", caught.value]
