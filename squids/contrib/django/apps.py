"""What INSTALLED_APPS names: system checks, the setting SQUIDS_EAGER, and the management command."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig

from squids.contrib.django import eager


class SquidsConfig(AppConfig):
    """The entry "squids.contrib.django" of INSTALLED_APPS."""

    name = "squids.contrib.django"
    label = "squids"
    verbose_name = "squids"

    def ready(self) -> None:
        """Register the system checks, and follow the setting."""
        import_module("squids.contrib.django.checks")
        eager.follow_setting()
