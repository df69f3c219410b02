"""Django's tasks as tasks of the squids app: those that are defined, and those whose module a message names.

Needs Django 6. A task has the name that Django gives it: its module and function.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from django.apps import apps
from django.tasks import Task
from django.tasks.backends.base import BaseTaskBackend

from squids.app import App
from squids.bounds import NAME
from squids.contrib.django.task_runs import Runner
from squids.errors import UnknownTask
from squids.task import Task as SquidsTask
from squids.tracebacks import error_line

DEFINED: dict[str, Task] = {}
"""The tasks of this process whose backend is ours, as they were defined."""

_adding = threading.Lock()


def add(app: App, task: Task, backend: BaseTaskBackend, queues: Iterable[str]) -> SquidsTask[..., Any]:
    """Return the app's task for one of Django, sent by a backend; register it, if it is new.

    `queues`: its own, and then where else it may be sent. Raises DuplicateTask if the app has another task of
    this name.
    """
    name = task.module_path
    with _adding:
        known = app.tasks.get(name)
        if known is not None and isinstance(known.target, Runner):
            return known
        queue, *others = queues
        added: SquidsTask[..., Any] = app.task(queue, name=name)(Runner(task, backend))
        added.other_queues = others
        added.converter = None  # Django's tasks get what JSON gives.
        return added


def find(name: str) -> Task | None:
    """Return the task that a message names; import its module if that belongs to an installed app.

    Anyone who may write to the queue chooses the name, so nothing else is imported, and nothing but a task is
    found. Raises UnknownTask if the module raises.
    """
    if name not in DEFINED:
        module, _, attribute = name.rpartition(".")
        if len(name) > NAME or not _may_import(module):
            return None
        try:
            found = getattr(import_module(module), attribute, None)
        except KeyboardInterrupt:
            raise
        except ModuleNotFoundError as error:
            if error.name is not None and f"{module}.".startswith(f"{error.name}."):
                return None
            raise _unimportable(name, module, error) from error
        except BaseException as error:  # Also sys.exit() in the module.
            raise _unimportable(name, module, error) from error
        if isinstance(found, Task) and found.module_path == name:
            return found  # Perhaps one of another backend, sent to ours by `using`.
    return DEFINED.get(name)


def _may_import(module: str) -> bool:
    """Whether a module is one of an installed app, and not a program such as `__main__`."""
    parts = module.split(".")
    if not all(part.isidentifier() and not part.startswith("__") for part in parts):
        return False
    return apps.get_containing_app_config(module) is not None


def _unimportable(name: str, module: str, error: BaseException) -> UnknownTask:
    return UnknownTask(f"{name} is not known, and importing {module} failed: {error_line(error)}")
