"""Sending from a coroutine: the loop goes on meanwhile, and all else is as if it were called."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from typing import Any

import pytest

import squids
import squids.testing
from squids.in_thread import in_thread

REQUEST: contextvars.ContextVar[str] = contextvars.ContextVar("request")


@pytest.fixture
def app() -> squids.App:
    app = squids.App("shop")

    @app.task("emails")
    def mail(to: str, *, urgent: bool = False) -> None: ...

    return app


@pytest.fixture
def mail(app: squids.App) -> Any:
    (task,) = app.tasks.values()
    return task


def test_the_loop_runs_while_a_call_blocks() -> None:
    async def both() -> str:
        is_open = threading.Event()
        waiting = asyncio.create_task(in_thread(lambda: is_open.wait(30) and "sent"))
        await asyncio.sleep(0)  # It has begun.
        is_open.set()
        return str(await waiting)

    assert asyncio.run(both()) == "sent"


def test_it_sends_what_send_sends(app: squids.App, mail: Any) -> None:
    with squids.testing.outbox(app) as box:
        answer = asyncio.run(mail.send_async("ada", urgent=True))
        asyncio.run(mail.send_job_async(["bob"], options={"DelaySeconds": 5}, queue="others"))
    first, second = box
    assert (first.id, first.queue, first.arguments) == (
        answer["MessageId"],
        "emails",
        {"to": "ada", "urgent": True},
    )
    assert (second.queue, second.args, second.options) == ("others", ("bob",), {"DelaySeconds": 5})


def test_hooks_run_and_see_the_context_of_the_caller(app: squids.App, mail: Any) -> None:
    seen = []
    app.pre_send(lambda queue, body: seen.append((REQUEST.get(), threading.current_thread().name)))

    async def request() -> None:
        REQUEST.set("r1")
        await mail.send_async("ada")

    with squids.testing.outbox(app):
        asyncio.run(request())
    ((context, thread),) = seen
    assert context == "r1"
    assert thread != threading.main_thread().name


def test_what_cannot_be_sent_is_raised_to_the_caller(app: squids.App, mail: Any) -> None:
    with (
        squids.testing.outbox(app) as box,
        pytest.raises(TypeError, match="missing a required argument: 'to'"),
    ):
        asyncio.run(mail.send_async())
    assert not box


def test_wrappers_of_a_task_send_as_it_does(mail: Any) -> None:
    import functools

    @functools.wraps(mail)
    def wrapper(*args: Any) -> None: ...

    assert wrapper.send_async == mail.send_async
    assert wrapper.send_job_async == mail.send_job_async
