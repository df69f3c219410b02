"""The squids app of a Django project: sets Django up, and imports the tasks of its installed apps.

Both happen in `import_tasks`, after the app's own module is imported: tasks and models import that module, so
it must be complete by then. In a web process, Django is set up already, and nothing of this runs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any, ParamSpec, TypeVar, Unpack, cast

import django
from django.apps import apps
from django.conf import settings as django_settings
from django.utils.module_loading import autodiscover_modules

import squids
from squids.app import AppOptions
from squids.contrib.django import connections
from squids.contrib.django.eager import follow_setting
from squids.contrib.django.language import around_language
from squids.contrib.django.sending import send_job_on_commit
from squids.hooks import StatsHook, check_hook
from squids.loading import no_module
from squids.task import Task

P = ParamSpec("P")
R = TypeVar("R")
StatsHookT = TypeVar("StatsHookT", bound=StatsHook)

SETTINGS = "DJANGO_SETTINGS_MODULE"


class DjangoTask(Task[P, R]):
    """A task of a Django project, and the base class of class-based ones."""

    _sending = (*Task._sending, "send_on_commit", "send_job_on_commit")

    def send_on_commit(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Send the call once the transaction of the default database is committed.

        See `squids.contrib.django.send_on_commit`.
        """
        send_job_on_commit(self, args, kwargs)

    def send_job_on_commit(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        queue: str | None = None,
        *,
        using: str | None = None,
        robust: bool = False,
    ) -> None:
        """Send the call with options once the transaction of a database is committed.

        See `squids.contrib.django.send_job_on_commit`.
        """
        send_job_on_commit(self, args, kwargs, options, queue, using=using, robust=robust)


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
        **options: Unpack[AppOptions],
    ) -> None:
        super().__init__(name, config, **options)
        connections.renew(self)
        self.around_task(around_language)
        self.task_modules = None if task_modules is None else tuple(task_modules)
        if settings is not None:
            os.environ.setdefault(SETTINGS, settings)
        if django_settings.configured:
            follow_setting()

    def task(
        self, queue: str, *, name: str | None = None, aliases: Iterable[str] = ()
    ) -> Callable[[Callable[P, R]], DjangoTask[P, R]]:
        """Register a function as a task, as `squids.App.task` does."""
        return cast(
            Callable[[Callable[P, R]], DjangoTask[P, R]], super().task(queue, name=name, aliases=aliases)
        )

    def report_queue_stats(self, hook: StatsHookT) -> StatsHookT:
        """Register a hook, as `squids.App.report_queue_stats` does; its thread renews its connections."""
        check_hook("report_queue_stats", hook)
        super().report_queue_stats(connections.renewed(hook))
        return hook

    def import_tasks(self) -> None:
        """Set Django up, unless it is, and import the tasks of the project.

        Raises ConfigurationError if no settings are named or their module does not exist, and what the
        imports raise. Connections that they opened are closed.
        """
        if not django_settings.configured and SETTINGS not in os.environ:
            raise squids.ConfigurationError(
                f"the app {self.name} has no settings of Django: set {SETTINGS}, "
                'or name them as manage.py does, as in App("shop", settings="shop.settings")'
            )
        if not apps.ready:
            self._set_up()
        if self.task_modules is None:
            autodiscover_modules("tasks")
        else:
            for module in self.task_modules:
                import_module(module)
        if django.VERSION >= (6,):
            from squids.contrib.django.task_backend import adopt

            adopt(self)
        connections.close_connections()

    def _set_up(self) -> None:
        try:
            django.setup()
        except ModuleNotFoundError as error:
            missing = no_module(os.environ.get(SETTINGS, ""), error)
            if missing is None:
                raise
            raise squids.ConfigurationError(
                f"correct {SETTINGS}, or settings= of the app {self.name}: {missing}"
            ) from None
