"""The settings of squids in a Django project. Each is read when it is needed: a test may override it.

This module imports nothing else of squids, since consumers of any app that uses Django need it.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings

SQUIDS_APP = "SQUIDS_APP"
SQUIDS_EAGER = "SQUIDS_EAGER"


def app_path() -> Any:
    """Return where the project's app is, as `--app` takes it; None if the project does not say."""
    return getattr(settings, SQUIDS_APP, None)


def is_eager() -> bool:
    """Whether sends run the task in place."""
    return bool(getattr(settings, SQUIDS_EAGER, False))
