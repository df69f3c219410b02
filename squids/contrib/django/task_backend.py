"""The backend for Django's `TASKS`: what is enqueued is sent to SQS, and runs in the workers of squids.

Needs Django 6. `task_options` decides where a task is sent; `task_registry` has the tasks, and finds them;
`task_runs` runs them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from django.core import checks
from django.tasks import Task, TaskResult, TaskResultStatus, task_backends
from django.tasks.backends.base import BaseTaskBackend
from django.tasks.exceptions import InvalidTask, InvalidTaskBackend
from django.tasks.signals import task_enqueued
from django.utils import timezone
from django.utils.crypto import get_random_string
from django.utils.json import normalize_json

from squids.app import App as AnyApp
from squids.contrib.django.app import App
from squids.contrib.django.project import get_app
from squids.contrib.django.task_options import MESSAGE_GROUP_ID, TaskOptions, delay
from squids.contrib.django.task_registry import DEFINED, add, find
from squids.contrib.django.task_runs import SQSTaskResult, say_each_thing_once
from squids.errors import SquidsError, UnknownTask
from squids.queues import QueueRef
from squids.task import Task as SquidsTask


class TaskBackend(BaseTaskBackend):
    """Sends tasks to SQS, with the project's squids app.

    The id of a result is that of the message. There are no results to get: `get_result` and `refresh` raise
    NotImplementedError. Priorities are supported if OPTIONS has PRIORITY_QUEUES.
    """

    supports_defer = True
    supports_async_task = True
    supports_get_result = False

    def __init__(self, alias: str, params: Mapping[str, Any]) -> None:
        super().__init__(alias, params)
        try:
            self.task_options = TaskOptions.parse(self.options)
            self.sqs_queues = [q for name in sorted(self.queues) for q in self.task_options.queues(name)]
            for queue in self.sqs_queues:
                self._check_group(QueueRef.parse(queue))
        except ValueError as error:
            raise InvalidTaskBackend(f'TASKS["{alias}"]: {error}') from None
        self.supports_priority = bool(self.task_options.steps)

    def validate_task(self, task: Task) -> None:
        """Raise InvalidTask if Django says so, or SQS could not take the task. Each definition comes here."""
        super().validate_task(task)
        try:
            ref = QueueRef.parse(self._queue(task))
            self._check_group(ref)
        except ValueError as error:
            raise InvalidTask(str(error)) from None
        if ref.is_fifo and task.run_after is not None:
            raise InvalidTask(f'run_after: the FIFO queue "{ref.name}" delays no single message')
        DEFINED.setdefault(task.module_path, task)

    def enqueue(self, task: Task, args: Sequence[Any], kwargs: Mapping[str, Any]) -> TaskResult:
        """Send a task to its queue.

        Raises InvalidTask if it cannot be sent there, TypeError if the arguments do not fit the function or
        JSON, and what a send of squids raises.
        """
        call = self._call(task, args, kwargs)
        response = self.add_to(get_app(), task).send_job(**call)
        result = self._result(task, call, response["MessageId"])
        task_enqueued.send_robust(type(self), task_result=result)
        return result

    async def aenqueue(self, task: Task, args: Sequence[Any], kwargs: Mapping[str, Any]) -> TaskResult:
        """Send a task like `enqueue`, from a thread: the event loop is not blocked."""
        call = self._call(task, args, kwargs)
        response = await self.add_to(get_app(), task).send_job_async(**call)
        result = self._result(task, call, response["MessageId"])
        await task_enqueued.asend_robust(type(self), task_result=result)
        return result

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        """Return what is wrong with the app, or with the queues that QUEUES names."""
        where = f'TASKS["{self.alias}"]: '
        try:
            app = get_app()
        except SquidsError as error:
            return [checks.Error(f"{where}{error}", id="squids.E101")]
        if not isinstance(app, App):
            text = "the app is not a squids.contrib.django.App, so its workers would not find Django's tasks"
            return [checks.Error(where + text, id="squids.E101")]
        found: list[checks.CheckMessage] = []
        for queue in self.sqs_queues:
            try:
                app.queue_ref(queue)
            except ValueError as error:
                found.append(checks.Error(f"{where}{error}", id="squids.E102"))
        return found

    def add_to(self, app: AnyApp, task: Task) -> SquidsTask[..., Any]:
        """Return the app's task for one of Django; register it, if it is new.

        Raises ValueError if SQS can have no such queue, DuplicateTask if the app has another of this name.
        """
        defined = DEFINED.get(task.module_path, task)
        queues = self.task_options.queues(defined.queue_name)
        return add(app, defined, self, dict.fromkeys((self._queue(defined), *queues, *self.sqs_queues)))

    def _queue(self, task: Task) -> str:
        return self.task_options.queue(task.queue_name, task.priority)

    def _check_group(self, ref: QueueRef) -> None:
        if ref.is_fifo and self.task_options.group_id is None:
            raise ValueError(f'the FIFO queue "{ref.name}" needs {MESSAGE_GROUP_ID} in OPTIONS')

    def _call(self, task: Task, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of `send_job`."""
        self.validate_task(task)
        call: dict[str, Any] = {
            "args": normalize_json(list(args)),
            "kwargs": normalize_json(dict(kwargs)),
            "queue": self._queue(task),
            "options": {},
        }
        due = None if task.run_after is None else task.run_after.timestamp()
        try:
            seconds = delay(due, time.time())
        except ValueError as error:
            raise InvalidTask(str(error)) from None
        if seconds:
            call["options"]["DelaySeconds"] = seconds
        if QueueRef.parse(call["queue"]).is_fifo:
            call["options"]["MessageGroupId"] = self.task_options.group_of(task, call["args"], call["kwargs"])
            # Each call is one of its own, also beside an equal one.
            call["options"]["MessageDeduplicationId"] = get_random_string(32)
        return call

    def _result(self, task: Task, call: Mapping[str, Any], message_id: str) -> TaskResult:
        return SQSTaskResult(
            task=task,
            id=message_id,
            status=TaskResultStatus.READY,
            enqueued_at=timezone.now(),
            started_at=None,
            last_attempted_at=None,
            finished_at=None,
            args=call["args"],
            kwargs=call["kwargs"],
            backend=self.alias,
            errors=[],
            worker_ids=[],
        )


def adopt(app: AnyApp) -> None:
    """Give an app the tasks that are defined, and have it find others when messages name them.

    Does nothing if no backend of `TASKS` is ours. Raises ValueError or DuplicateTask if a task cannot be
    registered.
    """
    ours = [backend for backend in task_backends.all() if isinstance(backend, TaskBackend)]
    if not ours:
        return

    def add_named(task: Task) -> None:
        backend = task.get_backend()
        (backend if isinstance(backend, TaskBackend) else ours[0]).add_to(app, task)

    def finder(name: str) -> None:
        task = find(name)
        if task is not None:
            try:
                add_named(task)
            except ValueError as error:
                raise UnknownTask(f"{name} cannot be a task of the app: {error}") from None

    say_each_thing_once()
    for task in list(DEFINED.values()):
        add_named(task)
    app.registry.find_by(finder)
