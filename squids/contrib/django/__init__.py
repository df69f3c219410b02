"""Django: tasks of installed apps, with database connections as in a request. Extra: `squids[django]`.

This package imports no models, so that it can be imported before Django is set up.
"""

from typing import Any

from squids.contrib.django.app import App, DjangoTask
from squids.contrib.django.project import get_app
from squids.contrib.django.sending import send_job_on_commit, send_on_commit

__all__ = ["App", "DjangoTask", "get_app", "send_job_on_commit", "send_on_commit"]


def __getattr__(name: str) -> Any:
    if name != "TaskBackend":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # Only where the setting TASKS names it, which is read by Django 6.
    from squids.contrib.django.task_backend import TaskBackend

    return TaskBackend
