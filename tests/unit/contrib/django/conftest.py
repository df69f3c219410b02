"""A Django project for this process: two databases in memory, one app with tasks."""

from __future__ import annotations

from collections.abc import Iterator

import django
import pytest
from django.conf import settings

from tests.support.django_tasks import tasks_of as tasks_of

if not settings.configured:
    settings.configure(
        SECRET_KEY="of a test",
        INSTALLED_APPS=["squids.contrib.django", "tests.support.django_shop"],
        DATABASES={
            alias: {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
            for alias in ("default", "archive")
        },
        LOGGING_CONFIG=None,  # The logging of this process is pytest's.
        USE_TZ=True,
        TIME_ZONE="Europe/Paris",
        LANGUAGE_CODE="fr",
    )
    django.setup()


@pytest.fixture
def orders() -> Iterator[type]:
    """The model, with a table in both databases that is empty."""
    from django.db import connections

    from tests.support.django_shop.models import Order

    for connection in connections.all():
        with connection.schema_editor() as editor:
            editor.create_model(Order)
    yield Order
    for connection in connections.all():
        with connection.schema_editor() as editor:
            editor.delete_model(Order)
