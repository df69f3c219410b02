"""Database and cache connections: renewed around each job as a request does, and none left by an import.

A connection that broke, or is older than its CONN_MAX_AGE, is closed before and after a job; the next query
opens another one. So a database that restarts costs at most one failure per connection.

Connections in a transaction when a job starts belong to who sent it: a test whose jobs run in place. They are
left alone, as are all with SQUIDS_EAGER, and those of a job that runs within another one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import django
from django.conf import settings
from django.core.cache import close_caches
from django.db import connections

from squids.app import App
from squids.job import Job

_in_job: ContextVar[bool] = ContextVar("squids_django_job", default=False)


def install(app: App) -> None:
    """Renew connections also around the jobs of an app that is not made by this package, but uses Django.

    The app's own hooks run inside. Called in consumers, after their import.
    """
    if settings.configured and django.VERSION >= (4, 2) and around_connections not in app.hooks.around_task:
        app.hooks.around_task.insert(0, around_connections)
        app.worker_stop(close_connections)
        close_connections()


@contextmanager
def around_connections(job: Job) -> Iterator[None]:
    """Do what Django's handlers of `request_started` and `request_finished` do."""
    if _in_job.get() or getattr(settings, "SQUIDS_EAGER", False):
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
