"""What serves other libraries, in real processes: a Flask factory, and what arrives at a Sentry server."""

from __future__ import annotations

import pytest

from tests.support import journal
from tests.support.processes import call
from tests.support.sentry import sentry_server as sentry_server
from tests.support.waiting import wait_until

REPORTED = (
    journal.SOURCE
    + """
import os
import sentry_sdk
import squids
from squids.contrib import sentry

sentry_sdk.init(dsn=os.environ["DSN"])
app = squids.App("tests")
sentry.install(app)

@app.task("tests")
def pay(order):
    try:
        {}["account"]
    except KeyError as error:
        raise ValueError(f"order {order}") from error

@app.task("tests")
def die():
    os.kill(os.getpid(), 9)
"""
)

FACTORY = (
    journal.SOURCE
    + """
import flask
from squids.contrib.flask import App

queue = App("tests")

@queue.task("tests")
def work(name):
    note("done", name, flask.current_app.name, flask.g.get("mark"))
    flask.g.mark = "left behind"

def create_app():
    web = flask.Flask("web")
    queue.init_app(web)
    web.teardown_appcontext(lambda error: note("torn", "down"))
    return web

app = create_app()
"""
)


@pytest.fixture
def queue(strict_sqs):
    return strict_sqs.create("tests")


def test_each_failure_arrives_at_sentry_once_and_at_the_latest_when_the_worker_exits(
    strict_sqs, queue, squids_process, sentry_server
):
    """The SDK was started at import, before the fork. A worker that was killed is reported by the main process."""
    process = squids_process(strict_sqs.endpoint_url, app=REPORTED, DSN=sentry_server.dsn)
    process.start("--workers", "2", "--retry-delay", "600").ready()
    strict_sqs.put("tests", call("die"))
    process.wait_for("worker_died")  # First: it would take events with it that were not sent yet.
    for order in range(3):
        strict_sqs.put("tests", call("pay", order))
    strict_sqs.put("tests", call("no_such_task"))
    process.wait_for("task_failed", 3)
    process.wait_for("bad_message")
    assert process.stop() == 0
    failed = [event for event in sentry_server.events if "exception" in event]
    values = sorted(event["exception"]["values"][-1]["value"] for event in failed)
    assert values[:3] == ["order 0", "order 1", "order 2"]
    assert len(values) == 4 and "no task shop.no_such_task" in values[3]
    paid = next(event for event in failed if event["exception"]["values"][-1]["value"] == "order 0")
    cause, error = paid["exception"]["values"]
    assert cause["type"] == "KeyError"
    assert [frame["function"] for frame in error["stacktrace"]["frames"]] == ["pay"]
    assert {"queue": "tests", "task": "shop.pay"}.items() <= paid["tags"].items()
    others = [event["logentry"]["formatted"] for event in sentry_server.events if event not in failed]
    assert [line for line in others if "task failed" in line or "cannot be run" in line] == []
    assert len([line for line in others if line.startswith("task lost, its worker was killed")]) == 1


START = (
    REPORTED
    + """
@app.{kind}
def connect():
    if not os.path.exists("tried"):
        open("tried", "w").close()
        raise LookupError("no database")
"""
)


@pytest.mark.parametrize("kind", ["worker_start", "consumer_start"])
def test_a_start_hook_that_raises_arrives_at_sentry_once(
    strict_sqs, queue, squids_process, sentry_server, kind
):
    """Before the process that could not start is gone. The next worker can."""
    app = START.replace("{kind}", kind)
    process = squids_process(strict_sqs.endpoint_url, app=app, DSN=sentry_server.dsn).start("--workers", "1")
    process.wait_for("start_hook_failed")
    if kind == "worker_start":
        process.workers(1)
        assert process.stop() == 0
    else:
        assert process.wait() == 1
    (event,) = sentry_server.events
    (error,) = event["exception"]["values"]
    assert (error["type"], error["value"]) == ("LookupError", "no database")
    assert [frame["function"] for frame in error["stacktrace"]["frames"]] == ["connect"]
    assert f"a {kind} hook raised" in event["logentry"]["formatted"]


def test_jobs_run_in_the_app_contexts_of_a_flask_app_that_the_command_is_given(
    strict_sqs, queue, squids_process
):
    process = squids_process(strict_sqs.endpoint_url, app=FACTORY).start("--workers", "1").ready()
    for name in ("a", "b"):
        strict_sqs.put("tests", call("work", name))
        wait_until(lambda name=name: name in process.journal.words("done"), what=lambda: process.text)
    wait_until(lambda: not queue.messages)
    assert process.stop() == 0
    lines = [line[:-1] for line in process.journal.lines()]
    each = [["torn", "down"]]
    assert lines == [["done", "a", "web", "None"], *each, ["done", "b", "web", "None"], *each]
