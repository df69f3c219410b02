"""What INSTALLED_APPS names: the management command and the system checks."""

from __future__ import annotations

from django.apps import AppConfig


class SquidsConfig(AppConfig):
    """The entry "squids.contrib.django" of INSTALLED_APPS."""

    name = "squids.contrib.django"
    label = "squids"
    verbose_name = "squids"
