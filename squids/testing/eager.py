"""Runs what is sent at once, in the process that sends it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from squids.app import App
from squids.delivery import Delivery
from squids.errors import BadMessage
from squids.execute import Outcome, execute
from squids.hooks import Hooks
from squids.job import JobEnd
from squids.queues import QueueRef
from squids.testing.divert import diverted


@contextmanager
def eager(*apps: App) -> Iterator[None]:
    """Within it, a `send` of these apps (none named: of all apps) runs the task before it returns.

    As in a worker: arguments go through JSON, all hooks run, `squids.current_job()` is there. What the task
    or a `pre_task` hook raises is raised by `send`; BadMessage, where a `pre_send` hook made a message that
    nobody can run. `options` are checked as SQS checks them, and otherwise without effect: there is no delay.
    """
    pending = _PendingJobs()

    def take(app: App, ref: QueueRef, message_id: str, body: str, options: Mapping[str, Any]) -> str:
        group = options.get("MessageGroupId")
        delivery = Delivery(message_id, "", body, 1, time.time(), group)
        pending.taken.append((app, ref.name, delivery))
        return message_id

    with ExitStack() as stack:
        stack.enter_context(diverted(apps, take))
        # Of all apps: those that are made within it, too.
        patched: list[Any] = [app.hooks for app in apps] or [Hooks]
        for hooks in patched:
            post_send = hooks.run_post_send

            def run_then(*arguments: Any, post_send: Any = post_send) -> None:
                mine = pending.taken.pop() if pending.taken else None
                post_send(*arguments)
                if mine is not None:
                    run(*mine)

            stack.enter_context(mock.patch.object(hooks, "run_post_send", run_then))
        yield


class _PendingJobs(threading.local):
    """What was taken and not run yet: each thread runs what it sent."""

    def __init__(self) -> None:
        self.taken: list[tuple[App, str, Delivery]] = []


def run(app: App, queue: str, delivery: Delivery) -> Outcome:
    """Run a message of a queue, and raise what it raised."""
    outcome = execute(delivery, queue, app.tasks, app.hooks)
    if outcome.exception is not None:
        raise outcome.exception
    if outcome.end is not JobEnd.DONE:
        raise BadMessage(outcome.error)
    return outcome
