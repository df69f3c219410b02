"""The entry of INSTALLED_APPS."""

from __future__ import annotations

from django.apps import apps

from squids.contrib.django.apps import SquidsConfig


def test_the_entry_has_a_label_of_its_own():
    """Not its last word, which is the one of Django itself."""
    assert isinstance(apps.get_app_config("squids"), SquidsConfig)
