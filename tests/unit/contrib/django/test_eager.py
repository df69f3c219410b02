"""The setting SQUIDS_EAGER."""

from __future__ import annotations

import pytest
from django.core.signals import setting_changed
from django.db import transaction
from django.test import TestCase, override_settings

import squids
import squids.testing
from squids.contrib.django import eager
from squids.contrib.django.app import App


@pytest.fixture
def app():
    return App("shop")


def test_while_it_is_on_sends_run_in_place(app):
    done = []

    @app.task("orders")
    def pay(order):
        done.append((order, squids.current_job().queue))

    with squids.testing.outbox() as box:
        with override_settings(SQUIDS_EAGER=True):
            pay.send(7)
            with override_settings(SQUIDS_EAGER=False):
                pay.send(8)
            pay.send(9)
        pay.send(10)
    assert done == [(7, "orders"), (9, "orders")]
    assert [sent.args for sent in box] == [(8,), (10,)]


def test_what_a_task_raises_its_sender_gets(app):
    @app.task("orders")
    def pay(order):
        raise ValueError(order)

    with override_settings(SQUIDS_EAGER=True), pytest.raises(ValueError, match="7"):
        pay.send(7)


def test_what_waits_for_a_commit_runs_then(app):
    done = []

    @app.task("orders")
    def pay(order):
        done.append(order)

    with override_settings(SQUIDS_EAGER=True), transaction.atomic():
        with TestCase.captureOnCommitCallbacks(execute=True):
            pay.send_on_commit(7)
            assert done == []
        transaction.set_rollback(True)  # As TestCase ends each test.
    assert done == [7]


def test_an_app_that_is_made_follows_it_without_an_entry_in_installed_apps():
    setting_changed.disconnect(eager._on_change)
    App("shop")
    with override_settings(SQUIDS_EAGER=True):
        assert eager._entered is not None
    assert eager._entered is None


def test_other_settings_do_not_matter(app):
    with override_settings(SQUIDS_EAGER=True):
        entered = eager._entered
        with override_settings(DEBUG=True):
            assert eager._entered is entered
    assert eager._entered is None
