"""Which app is the project's, in any process."""

from __future__ import annotations

import pytest
from django.test import override_settings

import squids
from squids.contrib.django import get_app
from squids.contrib.django.project import living
from tests.support.django_shop.squids_app import app

PATH = "tests.support.django_shop.squids_app:app"


def test_the_setting_names_it():
    with override_settings(SQUIDS_APP=PATH):
        assert get_app() is app


def test_without_the_setting_it_is_the_only_one_that_the_process_made(monkeypatch):
    monkeypatch.setattr("squids.contrib.django.project.living", {app, squids.App("another kind")})
    assert get_app() is app


@pytest.mark.parametrize("number", [0, 2])
def test_without_the_setting_and_with_none_or_several_it_is_not_known(monkeypatch, number):
    made = {squids.contrib.django.App(f"app{n}") for n in range(number)}
    monkeypatch.setattr("squids.contrib.django.project.living", made)
    with pytest.raises(squids.ConfigurationError, match=r'SQUIDS_APP = "shop\.squids_app:app"'):
        get_app()


def test_a_setting_that_is_wrong_is_said_each_time(monkeypatch):
    with override_settings(SQUIDS_APP="tests.support.django_shop.squids_app:ap"):
        for _ in range(2):
            with pytest.raises(squids.AppNotFound, match="did you mean app"):
                get_app()


def test_living_apps_are_those_of_the_process():
    assert app in living
