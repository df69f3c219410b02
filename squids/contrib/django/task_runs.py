"""Runs a task of Django's `TASKS` in a worker: its context, its signals, and a result that is not kept.

Needs Django 6. Whatever the task raises is raised: squids reports it, and settles the message.
"""

from __future__ import annotations

import functools
import inspect
import logging
import os
import socket
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from traceback import format_exception
from typing import Any

from django.conf import settings
from django.tasks import Task, TaskContext, TaskResult, TaskResultStatus
from django.tasks.backends.base import BaseTaskBackend
from django.tasks.base import TaskError
from django.tasks.signals import task_finished, task_started
from django.utils import timezone
from django.utils.json import normalize_json

from squids.job import current_job
from squids.tracebacks import users_frames
from squids.unfinished import check_returned

_TELLING: ContextVar[bool] = ContextVar("squids_django_telling", default=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SQSTaskResult(TaskResult):
    """A result whose attempts are those that SQS counted, in any worker; `worker_ids` has this one alone."""

    receive_count: int = 0

    @property
    def attempts(self) -> int:
        return self.receive_count


class Runner:
    """The function of a squids task: it runs a task of Django, and has the signature of its calls.

    `backend`: the one that it was sent by, which need not be the one of its definition.
    """

    def __init__(self, task: Task, backend: BaseTaskBackend) -> None:
        functools.update_wrapper(self, task.func)
        self.task = task
        self.backend = backend
        signature = inspect.signature(task.func)
        if task.takes_context:
            signature = signature.replace(parameters=list(signature.parameters.values())[1:])
        self.__signature__ = signature

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        _attempt(self.task, self.backend, list(args), kwargs)


def say_each_thing_once() -> None:
    """Keep Django's log from repeating what squids logs of a job: that it starts, ends, or fails."""
    logging.getLogger("django.tasks").addFilter(_is_not_repeated)


def _attempt(task: Task, backend: BaseTaskBackend, args: list[Any], kwargs: dict[str, Any]) -> None:
    job = current_job()
    assert job is not None  # Else there is no message.
    now = timezone.now()
    result = SQSTaskResult(
        task=task,
        id=job.id,
        status=TaskResultStatus.RUNNING,
        enqueued_at=_as_configured(job.sent_at),
        started_at=now,
        last_attempted_at=now,
        finished_at=None,
        args=args,
        kwargs=kwargs,
        backend=backend.alias,
        errors=[],
        worker_ids=[f"{socket.gethostname()}:{os.getpid()}"],
        receive_count=job.receive_count,
    )
    _tell(task_started, backend, result)
    context = [TaskContext(task_result=result)] if task.takes_context else []
    try:
        returned = task.call(*context, *args, **kwargs)
        check_returned(returned, task.module_path)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        result.errors.append(_described(error))
        _finish(backend, result, TaskResultStatus.FAILED)
        raise
    object.__setattr__(result, "_return_value", _as_json(returned))
    _finish(backend, result, TaskResultStatus.SUCCESSFUL)


def _finish(backend: BaseTaskBackend, result: SQSTaskResult, status: TaskResultStatus) -> None:
    object.__setattr__(result, "finished_at", timezone.now())
    object.__setattr__(result, "status", status)
    _tell(task_finished, backend, result)


def _tell(signal: Any, backend: BaseTaskBackend, result: SQSTaskResult) -> None:
    """Send a signal. What receivers raise is logged by Django, and decides nothing about the message."""
    token = _TELLING.set(True)
    try:
        signal.send_robust(type(backend), task_result=result)
    finally:
        _TELLING.reset(token)


def _is_not_repeated(record: logging.LogRecord) -> bool:
    return not _TELLING.get()


def _described(error: BaseException) -> TaskError:
    kind = type(error)
    return TaskError(
        exception_class_path=f"{kind.__module__}.{kind.__qualname__}",
        traceback="".join(format_exception(kind, error, users_frames(error.__traceback__))),
    )


def _as_json(returned: Any) -> Any:
    """Return a value as receivers of `task_finished` may see it; None if JSON has no such value.

    The task has not failed: its work is done, and the value is not kept.
    """
    try:
        return normalize_json(returned)
    except (TypeError, ValueError):
        return None


def _as_configured(time: datetime | None) -> datetime | None:
    """Return a time as `timezone.now` has times: aware with USE_TZ, else naive, and local."""
    return time if time is None or settings.USE_TZ else time.astimezone().replace(tzinfo=None)
