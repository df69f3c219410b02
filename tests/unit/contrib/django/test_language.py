"""Language and time zone of a job. The settings have French and Paris."""

from __future__ import annotations

import pytest
from django.utils import timezone, translation

import squids.testing
from squids.contrib.django.app import App
from squids.contrib.django.language import around_language


@pytest.fixture
def app():
    return App("shop")


@pytest.fixture
def seen():
    return []


@pytest.fixture
def greet(app, seen):
    @app.task("emails")
    def greet(language, zone):
        seen.append((translation.get_language(), timezone.get_current_timezone_name()))
        translation.activate(language)
        timezone.activate(zone)

    with squids.testing.eager(app):
        yield greet


def test_each_job_starts_with_those_of_the_settings(app, greet, seen):
    assert around_language in app.hooks.around_task
    greet.send("de", "Asia/Tokyo")
    greet.send("es", "Asia/Seoul")
    assert seen == [("fr", "Europe/Paris")] * 2
    assert (translation.get_language(), timezone.get_current_timezone_name()) == ("fr", "Europe/Paris")


def test_a_job_that_runs_in_place_leaves_those_of_the_sender(greet, seen):
    with translation.override("it"), timezone.override("Europe/Rome"):
        greet.send("de", "Asia/Tokyo")
        assert (translation.get_language(), timezone.get_current_timezone_name()) == ("it", "Europe/Rome")
    assert seen == [("fr", "Europe/Paris")]


def test_a_sender_without_translations_still_has_none(greet, seen):
    with translation.override(None):
        greet.send("de", "Asia/Tokyo")
        assert translation.get_language() is None
    assert seen == [("fr", "Europe/Paris")]
