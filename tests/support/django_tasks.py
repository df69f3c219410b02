"""A squids app for Django's `TASKS`, in this process. Needs Django 6, hence Python 3.12."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from django.test import override_settings

from squids.contrib.django import App

BACKEND = "squids.contrib.django.TaskBackend"


@pytest.fixture
def tasks_of() -> Iterator[Callable[..., App]]:
    """Set `TASKS` to one backend of ours, with these OPTIONS, and return the project's app."""
    from squids.contrib.django import task_backend

    known = dict(task_backend.DEFINED)
    task_backend.DEFINED.clear()
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:

        def make(*queues: str, **options: Any) -> App:
            app = App("shop")
            patch.setattr(task_backend, "get_app", lambda: app)
            backend = {"BACKEND": BACKEND, "QUEUES": queues, "OPTIONS": options}
            immediate = {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend", "QUEUES": []}
            stack.enter_context(override_settings(TASKS={"default": backend, "immediate": immediate}))
            return app

        yield make
    task_backend.DEFINED.clear()
    task_backend.DEFINED.update(known)


CALLS: list[Any] = []
"""What the tasks below were called with."""


def place(order: Any, *, gift: bool = False) -> str:
    """Place an order."""
    CALLS.append((order, gift))
    return f"order {order}"


async def place_later(order: int) -> None:
    await asyncio.sleep(0)
    CALLS.append(order)


def describe(context: Any, order: int) -> None:
    CALLS.append((context, order))


def fail() -> None:
    raise ValueError("no stock")
