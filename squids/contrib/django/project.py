"""The app of a Django project, in any of its processes: web, worker, manage.py."""

from __future__ import annotations

from functools import cache

from squids.app import App as AnyApp
from squids.app import living
from squids.contrib.django.app import App
from squids.contrib.django.project_settings import app_path
from squids.errors import ConfigurationError
from squids.loading import find_app


def get_app() -> AnyApp:
    """Return the app that the setting SQUIDS_APP names; without it, the one that this process has made.

    Raises ConfigurationError if it names none, or if there is no setting and not exactly one
    `squids.contrib.django.App`, and AppImportFailed if its module raises.
    """
    path = app_path()
    if path is not None:
        return _at(path)
    made = [app for app in living if isinstance(app, App)]
    if len(made) == 1:
        return made[0]
    found = f"this process has {len(made)} apps" if made else "this process has made no squids app yet"
    raise ConfigurationError(f'{found}: name it in the settings, as in SQUIDS_APP = "shop.squids_app:app"')


@cache
def _at(path: str) -> AnyApp:
    return find_app(path)
