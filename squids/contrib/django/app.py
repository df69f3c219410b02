"""The squids app of a Django project: sets Django up, and imports the tasks of its installed apps.

Both happen in `import_tasks`, after the app's own module is imported: tasks and models import that module, so
it must be complete by then. In a web process, Django is set up already, and nothing of this runs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any, ParamSpec, TypeVar, cast

import django
from django.apps import apps
from django.utils.module_loading import autodiscover_modules

import squids
from squids.task import Task

P = ParamSpec("P")
R = TypeVar("R")

SETTINGS = "DJANGO_SETTINGS_MODULE"


class DjangoTask(Task[P, R]):
    """A task of a Django project, and the base class of class-based ones."""


class App(squids.App):
    """A squids app whose tasks are those of a Django project.

    `settings`: the settings module, where DJANGO_SETTINGS_MODULE does not name one, as in manage.py.
    `task_modules`: modules to import the tasks from; default: `tasks` of each installed app that has it.
    `name`, `config` and `options` are those of `squids.App`.
    """

    task_class = DjangoTask

    def __init__(
        self,
        name: str,
        config: Mapping[str, Any] | None = None,
        *,
        settings: str | None = None,
        task_modules: Iterable[str] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(name, config, **options)
        self.task_modules = None if task_modules is None else tuple(task_modules)
        if settings is not None:
            os.environ.setdefault(SETTINGS, settings)

    def task(
        self, queue: str, *, name: str | None = None, aliases: Iterable[str] = ()
    ) -> Callable[[Callable[P, R]], DjangoTask[P, R]]:
        """Register a function as a task, as `squids.App.task` does."""
        return cast(
            Callable[[Callable[P, R]], DjangoTask[P, R]], super().task(queue, name=name, aliases=aliases)
        )

    def import_tasks(self) -> None:
        """Set Django up, unless it is, and import the tasks of the project."""
        if not apps.ready:
            django.setup()
        if self.task_modules is None:
            autodiscover_modules("tasks")
        else:
            for module in self.task_modules:
                import_module(module)
