"""Database and cache connections: renewed around each job as a request does, and none left by an import.

A connection that broke, or is older than its CONN_MAX_AGE, is closed before and after a job; the next query
opens another one. So a database that restarts costs at most one failure per connection.

Connections in a transaction when a job starts belong to who sent it: a test whose jobs run in place. They are
left alone, as are all with SQUIDS_EAGER, and those of a job that runs within another one.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import django
from django.conf import settings
from django.core.cache import close_caches
from django.db import close_old_connections, connections

from squids.app import App
from squids.contrib.django.project_settings import is_eager
from squids.hooks import StatsHook
from squids.job import Job
from squids.sqs import QueueStats

_in_job: ContextVar[bool] = ContextVar("squids_django_job", default=False)


def install(app: App) -> None:
    """Renew connections also around the jobs of an app that is not made by this package, but uses Django.

    Called in consumers, after their import.
    """
    if settings.configured and django.VERSION >= (4, 2) and around_connections not in app.hooks.around_task:
        renew(app)
        close_connections()


def renew(app: App) -> None:
    """Renew connections around the app's jobs, and close them when a worker ends.

    Hooks of `around_task` that are registered already run inside: they may use the database.
    """
    app.hooks.around_task.insert(0, around_connections)
    app.worker_stop(close_connections)


def renewed(hook: StatsHook) -> StatsHook:
    """Return a hook whose thread renews its connections before and after it: no job is around it."""

    @functools.wraps(hook)
    def renewed_hook(stats: QueueStats) -> None:
        close_old_connections()
        try:
            hook(stats)
        finally:
            close_old_connections()

    return renewed_hook


@contextmanager
def around_connections(job: Job) -> Iterator[None]:
    """Do what Django's handlers of `request_started` and `request_finished` do."""
    if _in_job.get() or is_eager():
        yield
        return
    borrowed = {connection.alias for connection in _opened() if connection.in_atomic_block}
    for connection in _opened():
        if connection.alias not in borrowed:
            connection.queries_log.clear()
    _renew(borrowed)
    token = _in_job.set(True)
    try:
        yield
    finally:
        _in_job.reset(token)
        _renew(borrowed)
        close_caches()


def close_connections() -> None:
    """Close all connections and pools that this process opened, but those in a transaction.

    After an import: no connection, and no pool's thread, may cross a fork. At the end of a worker: its
    process ends without Python's clean-up, which a server would log as a client that broke off.
    """
    for connection in _opened():
        if not connection.in_atomic_block:
            connection.close()
            close_pool = getattr(connection, "close_pool", None)  # Some databases have pools.
            if close_pool is not None:
                close_pool()
    close_caches()


def _renew(borrowed: set[str]) -> None:
    for connection in _opened():
        if connection.alias not in borrowed:
            connection.close_if_unusable_or_obsolete()


def _opened() -> list[Any]:
    """Return this thread's connections that were ever used."""
    return list(connections.all(initialized_only=True))
