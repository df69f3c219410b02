"""The setting SQUIDS_EAGER: while it is on, `send` runs the task in place, as `squids.testing.eager` does.

Followed in each process that makes an app of this package or has it in INSTALLED_APPS, for all apps; also
within `override_settings`.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed

SETTING = "SQUIDS_EAGER"

_entered: ExitStack | None = None


def follow_setting() -> None:
    """Apply the setting, now and whenever a test changes it."""
    setting_changed.connect(_on_change)
    _apply()


def _on_change(*, setting: str, **_: Any) -> None:
    if setting == SETTING:
        _apply()


def _apply() -> None:
    global _entered  # noqa: PLW0603 (the setting is the process's, too)
    wanted = bool(getattr(settings, SETTING, False))
    if wanted and _entered is None:
        from squids.testing import eager

        _entered = ExitStack()
        _entered.enter_context(eager())
    elif not wanted and _entered is not None:
        entered, _entered = _entered, None
        entered.close()
