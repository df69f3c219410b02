"""Which tasks a message may name: those that are defined, and those of modules of installed apps."""

from __future__ import annotations

import json
import os
import sys

import pytest

pytest.importorskip("django.tasks", reason="Django's TASKS needs Django 6, which needs Python 3.12")

from django.tasks.signals import task_finished

from squids.contrib.django import TaskBackend
from squids.contrib.django.task_backend import adopt
from squids.contrib.django.task_registry import find
from squids.delivery import Delivery
from squids.errors import UnknownTask
from squids.execute import execute
from squids.job import JobEnd

SHOP = "tests.support.django_shop"


@pytest.fixture
def app(tasks_of, monkeypatch):
    app = tasks_of("default")
    monkeypatch.delitem(sys.modules, f"{SHOP}.jobs", raising=False)
    monkeypatch.setenv("CLEANED", "")
    adopt(app)
    return app


def executed(app, name, *args):
    body = json.dumps({"task": name, "args": args})
    return execute(Delivery("m1", "r", body), "default", app.registry.by_any_name, app.hooks)


def test_a_task_is_found_in_a_module_that_nothing_imported(app):
    assert executed(app, f"{SHOP}.jobs.clean", 3).end is JobEnd.DONE
    assert os.environ["CLEANED"] == "3"
    assert app.tasks[f"{SHOP}.jobs.clean"].queue == "default"


def test_a_task_of_another_backend_runs_as_it_may_have_been_sent_to_ours(app):
    """With `sweep.using(backend=...)`."""
    heard = []

    def receive(sender, task_result, **_):
        heard.append((sender, task_result.backend))

    task_finished.connect(receive)
    try:
        assert executed(app, f"{SHOP}.jobs.sweep").end is JobEnd.DONE
    finally:
        task_finished.disconnect(receive)
    assert os.environ["CLEANED"] == "swept"
    assert heard == [(TaskBackend, "default")]


def test_a_task_is_found_by_its_function_whatever_its_module_calls_it(app):
    executed(app, f"{SHOP}.jobs.clean", 3)  # Imports the module.
    outcome = executed(app, f"{SHOP}.jobs.delete_everything")
    assert "not a task" in outcome.error
    assert executed(app, f"{SHOP}.jobs.another_name").end is JobEnd.BAD_MESSAGE
    assert find(f"{SHOP}.jobs.another_name") is None


@pytest.mark.parametrize(
    "name",
    [
        "os.getcwd",
        "antigravity.fly",
        f"{SHOP}_other.jobs.clean",
        f"{SHOP}.models.Order",
        f"{SHOP}.jobs.os",
        f"{SHOP}.nowhere.clean",
        f"{SHOP}.__main__.clean",
        f"{SHOP}{'.x' * 5_000}.clean",
        f"{SHOP}.jobs clean",
        f"{SHOP}..jobs.clean",
        "clean",
        "",
        "." * 10_000,
    ],
)
def test_a_message_imports_nothing_else_and_calls_nothing_else(app, name):
    before = set(sys.modules)
    outcome = executed(app, name)
    assert (outcome.end, outcome.error[:20]) == (JobEnd.BAD_MESSAGE, "the app has no task ")
    assert set(sys.modules) - before <= {f"{SHOP}.jobs"}


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("broken", "RuntimeError: no licence"),
        ("needy", "ModuleNotFoundError: No module named 'no_such_library'"),
    ],
)
def test_a_module_that_does_not_import_is_a_bad_message_with_its_reason(app, module, reason):
    outcome = executed(app, f"{SHOP}.{module}.clean")
    assert outcome.end is JobEnd.BAD_MESSAGE
    assert outcome.error == (
        f"{SHOP}.{module}.clean is not known, and importing {SHOP}.{module} failed: {reason}"
    )
    with pytest.raises(UnknownTask):
        find(f"{SHOP}.{module}.clean")


def test_a_task_whose_queue_cannot_be_one_of_sqs_is_a_bad_message_with_its_reason(app):
    outcome = executed(app, f"{SHOP}.jobs.elsewhere")
    assert outcome.end is JobEnd.BAD_MESSAGE
    assert 'cannot be a task of the app: "not for SQS" is not a queue' in outcome.error
