"""How `manage.py squids` becomes `squids`: `tests/system/test_django.py` runs it."""

from __future__ import annotations

import os
import sys

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from squids.contrib.django.management.commands import squids as command


@pytest.fixture
def executed(monkeypatch):
    calls = []
    monkeypatch.setattr(os, "execve", lambda *call: calls.append(call))
    return calls


def options(call):
    _, arguments, _ = call
    return arguments[arguments.index("-c") + 2 :]


def test_options_are_those_of_squids_and_the_setting_names_the_app(executed):
    with override_settings(SQUIDS_APP="shop.squids_app:app"):
        call_command("squids", "--queue", "orders", "--workers=3", "--no-preload", "--exit-when-empty")
    (call,) = executed
    assert call[0] == sys.executable
    assert options(call) == [
        "--queue=orders",
        "--app=shop.squids_app:app",
        "--workers=3",
        "--exit-when-empty",
        "--no-preload",
    ]


def test_the_option_names_another_app(executed):
    with override_settings(SQUIDS_APP="shop.squids_app:app"):
        call_command("squids", queue="orders", app="other:app", reload=True)
    assert options(executed[0]) == ["--queue=orders", "--app=other:app", "--reload"]


def test_without_an_app_it_says_where_to_name_one(executed):
    with pytest.raises(CommandError, match=r'SQUIDS_APP = "shop\.squids_app:app"'):
        call_command("squids", queue="orders")
    assert executed == []


def test_folders_that_only_this_process_searches_are_passed_on(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    usual = [path for path in sys.path if "python3" in path]
    monkeypatch.setattr(sys, "path", ["/srv/extra", "/srv/shop", *usual, str(tmp_path), "/srv/known"])
    assert command.search_path({"PYTHONPATH": "/srv/known"}) == {
        "PYTHONPATH": os.pathsep.join(["/srv/extra", "/srv/shop", "/srv/known"])
    }


def test_usually_there_are_none(monkeypatch, tmp_path):
    """manage.py is in the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *(path for path in sys.path if "python3" in path)])
    assert command.search_path({}) == {}


def test_a_queue_is_needed_to_run(executed):
    with override_settings(SQUIDS_APP="shop:app"), pytest.raises(CommandError, match="--queue"):
        call_command("squids")
    assert executed == []
