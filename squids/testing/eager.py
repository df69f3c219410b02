"""Runs messages when they are sent, in the sending process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from squids.app import App
from squids.delivery import Delivery
from squids.execute import Outcome, execute
from squids.hooks import Hooks
from squids.queues import QueueRef
from squids.testing.divert import diverted


@contextmanager
def eager(*apps: App) -> Iterator[None]:
    """Within this context, `send` runs the task before it returns; without arguments, for all apps.

    As in a worker, arguments go through JSON, all hooks run, and `squids.current_job()` works. `send` raises
    what the task or a `pre_task` hook raises, and BadMessage if a `pre_send` hook made a message that cannot
    be run. `options` are validated as SQS does, and otherwise ignored: there is no delay.
    """
    pending = _PendingJobs()

    def take(app: App, ref: QueueRef, message_id: str, body: str, options: Mapping[str, Any]) -> str:
        group = options.get("MessageGroupId")
        delivery = Delivery(message_id, "", body, 1, time.time(), group)
        pending.taken.append((app, ref.name, delivery))
        return message_id

    with ExitStack() as stack:
        stack.enter_context(diverted(apps, take))
        # Patching the class also covers apps that are made within the context.
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
    """Messages that were taken and not yet run. Each thread runs what it sent."""

    def __init__(self) -> None:
        self.taken: list[tuple[App, str, Delivery]] = []


def run(app: App, queue: str, delivery: Delivery) -> Outcome:
    """Run a message of a queue, and raise what it raised."""
    outcome = execute(delivery, queue, app.registry.by_any_name, app.hooks, app.json)
    if outcome.exception is not None:
        raise outcome.exception
    return outcome
