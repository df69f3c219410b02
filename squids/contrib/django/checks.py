"""System checks of `manage.py check`: whether SQUIDS_APP names an app, and whether anything is sent."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, register

from squids.contrib.django.app import App
from squids.contrib.django.eager import SETTING
from squids.contrib.django.project import get_app
from squids.errors import SquidsError


@register("squids")
def check_app(**_: Any) -> list[CheckMessage]:
    """Check that the setting SQUIDS_APP, if there is one, names an app of this package."""
    path = getattr(settings, "SQUIDS_APP", None)
    if path is None:
        return []
    if not isinstance(path, str):
        return [
            checks.Error(
                f"SQUIDS_APP is {path!r}, not a text such as 'shop.squids_app:app'", id="squids.E001"
            )
        ]
    try:
        app = get_app()
    except SquidsError as error:
        return [checks.Error(f"SQUIDS_APP does not name an app: {error}", id="squids.E001")]
    if not isinstance(app, App):
        return [
            checks.Warning(
                f"SQUIDS_APP names {app!r}, which is not made by squids.contrib.django.App",
                hint="It imports no tasks of installed apps, and resets no language between jobs.",
                id="squids.W001",
            )
        ]
    return []


@register("squids", deploy=True)
def check_eager(**_: Any) -> list[CheckMessage]:
    """Check that tasks are sent in production."""
    if not getattr(settings, SETTING, False):
        return []
    return [
        checks.Warning(
            f"{SETTING} is on: tasks run where they are sent, and no consumer gets them", id="squids.W002"
        )
    ]
