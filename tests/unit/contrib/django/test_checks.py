"""What `manage.py check` says."""

from __future__ import annotations

import pytest
from django.core.checks import run_checks
from django.test import override_settings

import squids
from squids.contrib.django import checks

PATH = "tests.support.django_shop.squids_app"


def found(**settings):
    with override_settings(**settings):
        return {
            message.id: message.msg for message in run_checks(tags=["squids"], include_deployment_checks=True)
        }


def test_an_app_that_is_there_is_right():
    assert checks.check_app() == []
    assert found(SQUIDS_APP=f"{PATH}:app") == {}


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        (f"{PATH}:ap", "did you mean app"),
        ("no_such_module:app", "there is no module no_such_module"),
        ("tests.support.django_shop", "is a module"),
        (7, "is 7"),
    ],
)
def test_one_that_is_not_there_is_an_error(path, problem):
    messages = found(SQUIDS_APP=path)
    assert set(messages) == {"squids.E001"} and problem in messages["squids.E001"]


def test_an_app_of_another_kind_is_a_warning(monkeypatch):
    import tests.support.django_shop.squids_app as module

    monkeypatch.setattr(module, "plain", squids.App("plain"), raising=False)
    assert set(found(SQUIDS_APP=f"{PATH}:plain")) == {"squids.W001"}


def test_sending_nothing_is_a_warning_where_it_is_deployed():
    assert set(found(SQUIDS_EAGER=True)) == {"squids.W002"}
    with override_settings(SQUIDS_EAGER=True):
        assert run_checks(tags=["squids"]) == []
