"""Connections around jobs, with Django's own handling of them and sqlite."""

from __future__ import annotations

import pytest
from django.core.cache import caches
from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

import squids
import squids.testing
from squids.contrib.django.app import App
from squids.contrib.django.connections import around_connections, close_connections, install


@pytest.fixture
def app():
    return App("shop")


@pytest.fixture
def closed(monkeypatch, tmp_path):
    """Which connections were closed; in a file, since Django does not close a database in memory."""
    names: list[str] = []
    for alias in connections:
        one = connections[alias]
        one.ensure_connection()
        monkeypatch.setattr(one, "_close", lambda alias=alias: names.append(alias))
        monkeypatch.setattr(one, "close", lambda alias=alias: names.append(alias))
        monkeypatch.setattr(one, "close_at", None)
    return names


def test_a_connection_past_its_age_is_closed_before_and_after_a_job(app, closed, monkeypatch):
    """As before and after a request: with the default, CONN_MAX_AGE = 0, after each."""
    seen = []

    @app.task("orders")
    def work():
        seen.append(list(closed))
        monkeypatch.setattr(connection, "close_at", 0.0)

    monkeypatch.setattr(connections["archive"], "close_at", 0.0)
    with squids.testing.eager(app):
        work.send()
    assert seen == [["archive"]]
    assert sorted(closed) == ["archive", "archive", "default"]


def test_a_connection_that_broke_is_closed_after_the_job_that_met_it(app, closed, monkeypatch):
    """The next one gets another: one failure, whatever its age may be."""

    @app.task("orders")
    def work():
        connection.errors_occurred = True
        raise RuntimeError("server closed the connection unexpectedly")

    monkeypatch.setattr(connection, "is_usable", lambda: False)
    with squids.testing.eager(app), pytest.raises(RuntimeError):
        work.send()
    assert closed == ["default"]
    connection.errors_occurred = False


def test_a_transaction_of_a_test_is_left_alone(app, orders, closed, monkeypatch):
    """TestCase has one around each test; the job runs within it, and what it writes is rolled back with it."""
    monkeypatch.setattr(connection, "close_at", 0.0)

    @app.task("orders")
    def place():
        orders.objects.create(number=1)

    with squids.testing.eager(app), transaction.atomic():
        place.send()
        assert orders.objects.count() == 1
        transaction.set_rollback(True)
    assert orders.objects.count() == 0
    assert closed == []


def test_the_queries_that_a_test_counts_are_left_alone(app, orders):
    @app.task("orders")
    def count():
        orders.objects.count()

    with (
        squids.testing.eager(app),
        transaction.atomic(),
        CaptureQueriesContext(connection) as queries,
    ):
        orders.objects.count()
        count.send()
    assert len(queries) == 2


def test_queries_that_debug_keeps_are_those_of_one_job(app, orders):
    """Else a worker with DEBUG would keep all it ever made."""

    @app.task("orders")
    def count():
        orders.objects.count()
        return_of.append(len(connection.queries))

    return_of: list[int] = []
    with override_settings(DEBUG=True), squids.testing.eager(app):
        for _ in range(3):
            count.send()
    assert return_of == [1, 1, 1]
    connection.queries_log.clear()


def test_a_job_within_another_leaves_the_connections_to_it(app, closed, monkeypatch):
    """The outer one may be reading from a cursor."""
    seen = []

    @app.task("orders")
    def inner():
        pass

    @app.task("orders")
    def outer():
        monkeypatch.setattr(connection, "close_at", 0.0)
        inner.send()
        seen.append(list(closed))

    with squids.testing.eager(app):
        outer.send()
    assert (seen, closed) == ([[]], ["default"])


def test_with_the_setting_eager_connections_are_those_of_the_sender(app, closed, monkeypatch):
    monkeypatch.setattr(connection, "close_at", 0.0)

    @app.task("orders")
    def work():
        pass

    with override_settings(SQUIDS_EAGER=True):
        work.send()
    assert closed == []


def test_caches_are_closed_as_after_a_request(app, monkeypatch):
    closed = []
    monkeypatch.setattr(caches[DEFAULT_DB_ALIAS], "close", lambda **_: closed.append(True))

    @app.task("orders")
    def work():
        assert closed == []

    with squids.testing.eager(app):
        work.send()
    assert closed == [True]


def test_what_an_import_opened_is_closed_with_its_pool(closed, monkeypatch):
    monkeypatch.setattr(
        connections["archive"], "close_pool", lambda: closed.append("its pool"), raising=False
    )
    close_connections()
    assert closed == ["default", "archive", "its pool"]


def test_a_worker_that_ends_takes_leave_of_its_servers(app, closed):
    app.hooks.run_worker_stop()
    assert closed == ["default", "archive"]


def test_an_import_within_a_transaction_closes_nothing(closed):
    with transaction.atomic():
        close_connections()
        assert closed == ["archive"]


def test_a_plain_app_of_a_process_with_django_gets_the_same(closed):
    """Within no other hook: those may use the database."""
    app = squids.App("plain")
    app.around_task(own := lambda job: pytest.fail("not run"))
    install(app)
    install(app)
    assert app.hooks.around_task == [around_connections, own]
    assert app.hooks.worker_stop == [close_connections]
    assert closed == ["default", "archive"]


def test_an_app_of_this_package_has_it_already(app, closed):
    hooks = list(app.hooks.around_task)
    install(app)
    assert app.hooks.around_task == hooks and closed == []


def test_a_django_without_these_functions_is_left_alone(monkeypatch):
    app = squids.App("plain")
    monkeypatch.setattr("django.VERSION", (4, 1, 0, "final", 0))
    install(app)
    assert app.hooks.around_task == []
