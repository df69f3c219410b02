"""Sentry: one event for each failed job, sent by the process that ran it. Extra: `squids[sentry]`.

The application calls `sentry_sdk.init` itself, at import or in a start hook. Events are captured after all
contexts around the job were left, in the scope that the job had, so that its tags and breadcrumbs are there.
"""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import sentry_sdk
from sentry_sdk import Scope
from sentry_sdk.scope import (
    add_global_event_processor,
    should_send_default_pii,
    use_isolation_scope,
)
from sentry_sdk.utils import event_from_exception

from squids.job import Job, JobAction
from squids.tracebacks import users_frames

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

    from squids.app import App

REPORTED = frozenset({JobAction.FAILED.value, JobAction.BAD_MESSAGE.value})
"""Log records of ours that say what an event of `on_failure` says already."""

_LAST: ContextVar[tuple[Job, Scope, Any] | None] = ContextVar("squids_sentry_scope", default=None)
"""The last job, its scope and its transaction."""

_filtered = False


def install(app: App, *, flush_seconds: float = 2.0) -> None:
    """Report failed jobs of an app to Sentry.

    Each event has the tags `queue` and `task`, and the context `squids` with message id, receive count and
    time of sending; arguments only if the SDK's `data_collection` includes `queues`, or with
    `send_default_pii`. With tracing, each job is a transaction. Workers and consumers wait up to
    `flush_seconds` for pending events when they exit.

    Call it before other hooks are registered: their contexts are then inside, and their stop hooks earlier.
    """
    global _filtered  # noqa: PLW0603 (a processor is global, too)
    if not _filtered:
        _filtered = True
        add_global_event_processor(_drop_repeated)

    def flush() -> None:
        sentry_sdk.flush(timeout=flush_seconds)

    def flush_at_exit() -> None:
        # A process whose start hook raises runs no stop hook. The SDK's own exit handler is the importer's.
        atexit.unregister(flush)
        atexit.register(flush)

    app.worker_start(flush_at_exit)
    app.consumer_start(flush_at_exit)
    app.around_task(_scope_of)
    app.on_failure(_capture)
    app.worker_stop(flush)
    app.consumer_stop(flush)


@contextmanager
def _scope_of(job: Job) -> Iterator[None]:
    with sentry_sdk.isolation_scope() as scope:
        scope.clear_breadcrumbs()
        _describe(scope, job)
        with sentry_sdk.start_transaction(op="queue.process", name=job.task, source="task") as transaction:
            _LAST.set((job, scope, transaction))
            transaction.set_data("messaging.system", "aws_sqs")
            transaction.set_data("messaging.destination.name", job.queue)
            transaction.set_data("messaging.message.id", job.id)
            transaction.set_data("messaging.message.retry.count", job.receive_count - 1)
            yield


def _capture(job: Job, error: BaseException) -> None:
    last = _LAST.get()
    if last is not None and last[0] is job:
        _, scope, transaction = last
        with use_isolation_scope(scope):
            sentry_sdk.get_current_scope().span = transaction  # So that the event is part of its trace.
            _send(error)
    else:  # It failed before it had a scope.
        with sentry_sdk.isolation_scope() as scope:
            scope.clear_breadcrumbs()
            _describe(scope, job)
            _send(error)


def _describe(scope: Scope, job: Job) -> None:
    scope.set_transaction_name(job.task, source="task")
    scope.set_tag("queue", job.queue)
    scope.set_tag("task", job.task)
    details: dict[str, Any] = {
        "message_id": job.id,
        "receive_count": job.receive_count,
        "sent_at": job.sent_at.isoformat() if job.sent_at is not None else None,
    }
    if _may_send_arguments():
        details |= {"args": job.args, "kwargs": job.kwargs}
    scope.set_context("squids", details)


def _may_send_arguments() -> bool:
    """Whether the SDK's settings allow data of queues: `data_collection`, or formerly `send_default_pii`."""
    collection = sentry_sdk.get_client().options.get("data_collection")
    if isinstance(collection, dict) and collection.get("provided_by_user"):
        return bool(collection.get("queues"))
    return should_send_default_pii()


def _send(error: BaseException) -> None:
    # Without our frames, whose local variables are the message.
    frames = users_frames(error.__traceback__)
    event, hint = event_from_exception(
        (type(error), error, frames),
        client_options=sentry_sdk.get_client().options,
        mechanism={"type": "squids", "handled": False},
    )
    sentry_sdk.capture_event(event, hint=hint)


def _drop_repeated(event: Event, hint: Hint) -> Event | None:
    """Drop the event that Sentry's logging integration makes of our line about a failed job."""
    record = hint.get("log_record")
    if record is not None and record.name == "squids" and getattr(record, "action", None) in REPORTED:
        return None
    return event
