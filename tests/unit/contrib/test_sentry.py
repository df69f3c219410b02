"""Events for failed jobs, by the Sentry SDK itself; its transport is the test's."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.transport import Transport

import squids
from squids.contrib import sentry
from squids.delivery import Delivery
from squids.execute import Outcome, execute


class Kept(Transport):
    """Keeps what would be sent."""

    def __init__(self, options: dict[str, Any] | None = None) -> None:
        super().__init__(options)
        self.sent: list[dict[str, Any]] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.sent += [item.payload.json for item in envelope.items if item.payload.json is not None]

    def events(self) -> list[dict[str, Any]]:
        return [sent for sent in self.sent if sent.get("type") != "transaction"]


@pytest.fixture
def start() -> Iterator[Callable[..., Kept]]:
    """Start the SDK, with few integrations: those patch the process for good."""

    def start(**options: Any) -> Kept:
        kept = Kept()
        sentry_sdk.init(
            dsn="http://key@127.0.0.1:1/1",
            transport=kept,
            default_integrations=False,
            integrations=[LoggingIntegration()],
            **options,
        )
        return kept

    yield start
    sentry_sdk.get_client().close()
    sentry_sdk.get_global_scope().set_client(None)


@pytest.fixture
def app() -> squids.App:
    app = squids.App("shop")
    sentry.install(app)

    @app.task("emails")
    def pay(order):
        sentry_sdk.set_tag("customer", "ada")
        sentry_sdk.add_breadcrumb(message=f"paying {order}")
        try:
            raise KeyError("account")
        except KeyError as error:
            raise ValueError("no money") from error

    @app.task("emails")
    def fine():
        sentry_sdk.set_tag("customer", "bob")

    return app


def run(app: squids.App, task: str, *args: Any) -> Outcome:
    (name,) = [name for name in app.tasks if name.endswith(task)] or [task]
    body = json.dumps({"task": name, "args": args})
    return execute(Delivery("m1", "receipt", body, 3, 1_700_000_000.0), "emails", app.tasks, app.hooks)


def test_a_failure_is_one_event_with_its_frames_its_cause_and_its_job(start, app):
    kept = start()
    run(app, "fine")
    outcome = run(app, "pay", 7)
    (event,) = kept.events()
    cause, error = event["exception"]["values"]
    assert (cause["type"], error["type"], error["value"]) == ("KeyError", "ValueError", "no money")
    assert error["mechanism"] == {"type": "squids", "handled": False} | error["mechanism"]
    (frame,) = error["stacktrace"]["frames"]
    assert frame["function"] == "pay"
    assert event["transaction"] == outcome.task
    assert {"queue": "emails", "task": outcome.task, "customer": "ada"}.items() <= event["tags"].items()
    about = event["contexts"]["squids"]
    assert about == {"message_id": "m1", "receive_count": 3, "sent_at": "2023-11-14T22:13:20+00:00"}
    assert [crumb["message"] for crumb in event["breadcrumbs"]["values"]] == ["paying 7"]


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ({"send_default_pii": True}, True),
        ({"send_default_pii": False}, False),
        ({"data_collection": {"queues": True}}, True),
        ({"data_collection": {"queues": False}}, False),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:The send_default_pii option is deprecated")
def test_arguments_are_sent_only_where_the_sdk_may_collect_them(start, app, options, sent):
    kept = start(**options)
    run(app, "pay", 7)
    about = kept.events()[0]["contexts"]["squids"]
    assert {key: about[key] for key in about if "args" in key} == (
        {"args": [7], "kwargs": {}} if sent else {}
    )


def test_no_job_sees_what_another_has_set(start, app):
    """Nor does what runs between jobs."""
    kept = start()
    run(app, "fine")
    sentry_sdk.capture_message("between")
    run(app, "pay", 7)
    between, event = kept.events()
    assert "customer" not in between.get("tags", {}) and "queue" not in between.get("tags", {})
    assert event["tags"]["customer"] == "ada"
    assert len(event["breadcrumbs"]["values"]) == 1


def test_a_context_that_fails_and_a_message_that_cannot_be_run_are_events_too(start, app):
    kept = start()
    run(app, "no.such.task")

    @app.around_task
    @contextmanager
    def commit(job):
        yield
        raise RuntimeError("commit failed")

    run(app, "fine")
    bad, broken = kept.events()
    assert bad["exception"]["values"][-1]["type"] == "UnknownTask"
    assert (bad["tags"]["queue"], bad["tags"]["task"]) == ("emails", "no.such.task")
    assert "customer" not in bad["tags"]
    assert broken["exception"]["values"][-1]["value"] == "commit failed"
    assert broken["tags"]["customer"] == "bob"


def test_our_lines_about_failed_jobs_are_no_second_event_and_all_others_are_events(start, app):
    """No hook runs for a worker that was killed."""
    kept = start()
    log = logging.getLogger("squids")
    for action in ("task_failed", "bad_message", "worker_died"):
        log.error("%s happened", action, extra={"action": action})
    logging.getLogger("shop").error("a problem", extra={"action": "task_failed"})
    assert [event["logentry"]["formatted"] for event in kept.events()] == [
        "worker_died happened",
        "a problem",
    ]


def test_with_tracing_each_job_is_a_transaction_and_its_event_is_part_of_it(start, app):
    kept = start(traces_sample_rate=1.0)
    run(app, "fine")
    outcome = run(app, "pay", 7)
    fine, paid = (sent for sent in kept.sent if sent.get("type") == "transaction")
    assert paid["transaction"] == outcome.task
    trace = paid["contexts"]["trace"]
    assert (trace["op"], trace["status"]) == ("queue.process", "internal_error")
    assert fine["contexts"]["trace"]["trace_id"] != trace["trace_id"]
    (event,) = kept.events()
    assert event["contexts"]["trace"]["trace_id"] == trace["trace_id"]


def test_without_sentry_started_a_job_runs_as_ever(app):
    assert run(app, "fine").exception is None
    assert isinstance(run(app, "pay", 7).exception, ValueError)


def test_processes_flush_when_they_exit_after_all_other_hooks(start, app, monkeypatch):
    flushed: list[Any] = []
    monkeypatch.setattr(sentry_sdk, "flush", lambda **given: flushed.append(given))
    app.worker_stop(lambda: flushed.append("the app's own"))
    app.hooks.run_worker_stop()
    app.hooks.run_consumer_stop()
    assert flushed == ["the app's own", {"timeout": 2.0}, {"timeout": 2.0}]
