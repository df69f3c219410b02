"""Django is set up, and the tasks of its apps are imported, once the app's own module is."""

from __future__ import annotations

import os
import sys

import pytest

from squids.contrib.django.app import App, DjangoTask
from squids.loading import load_app
from tests.support.django_shop.squids_app import app


def test_tasks_of_installed_apps_are_found():
    assert load_app("tests.support.django_shop.squids_app:app") is app
    assert type(app.tasks["tests.support.django_shop.tasks.place"]) is DjangoTask


def test_modules_of_tasks_may_be_named(monkeypatch, tmp_path):
    """Those of other installed apps are another library's, perhaps."""
    (tmp_path / "tasks_of_test_app.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("squids.contrib.django.app.autodiscover_modules", lambda _: pytest.fail("discovered"))
    App("named", task_modules=["tasks_of_test_app"]).import_tasks()
    assert sys.modules.pop("tasks_of_test_app")


def test_settings_are_those_of_the_environment_if_it_has_any(monkeypatch):
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    App("first", settings="shop.settings")
    App("second", settings="shop.other_settings")
    assert os.environ["DJANGO_SETTINGS_MODULE"] == "shop.settings"
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE")


def test_an_app_is_known_by_the_place_that_makes_it():
    """Not by the `__init__` of its class, where all apps would be one."""
    registry = App("here").registry
    assert registry.module == __name__
    assert registry.place is not None and registry.place[0] == __file__


def test_a_hook_that_reports_on_a_queue_gets_connections_that_work(monkeypatch):
    """Its thread lives as long as the consumer does."""
    events = []
    monkeypatch.setattr(
        "squids.contrib.django.connections.close_old_connections", lambda: events.append("renewed")
    )
    reporting = App("shop")

    @reporting.report_queue_stats
    def store(stats):
        events.append(stats)

    reporting.hooks.run_report_queue_stats("stats")
    assert events == ["renewed", "stats", "renewed"]
    assert store.__name__ == "store"
