"""Django is set up, and the tasks of its apps are imported, once the app's own module is."""

from __future__ import annotations

from squids.contrib.django.app import DjangoTask
from squids.loading import load_app
from tests.support.django_shop.squids_app import app


def test_tasks_of_installed_apps_are_found():
    assert load_app("tests.support.django_shop.squids_app:app") is app
    assert type(app.tasks["tests.support.django_shop.tasks.place"]) is DjangoTask
