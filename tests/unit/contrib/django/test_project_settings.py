"""The settings of squids in a Django project."""

from __future__ import annotations

import pytest
from django.test import override_settings

from squids.contrib.django.project_settings import app_path, is_eager


def test_a_project_without_them_names_no_app_and_sends():
    assert app_path() is None
    assert is_eager() is False


@pytest.mark.parametrize(("value", "is_on"), [(True, True), (1, True), (False, False), (None, False)])
def test_a_setting_counts_while_it_is_overridden(value, is_on):
    with override_settings(SQUIDS_APP="shop.squids_app:app", SQUIDS_EAGER=False):
        assert app_path() == "shop.squids_app:app"
        with override_settings(SQUIDS_EAGER=value):
            assert is_eager() is is_on
        assert is_eager() is False
    assert app_path() is None
