"""What Django's `enqueue` sends to SQS, and what it refuses, by the flags of Django's own interface."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest

pytest.importorskip("django.tasks", reason="Django's TASKS needs Django 6, which needs Python 3.12")

from django.core.exceptions import ImproperlyConfigured
from django.tasks import TaskResultStatus, default_task_backend, task, task_backends
from django.tasks.exceptions import InvalidTask
from django.tasks.signals import task_enqueued
from django.test import override_settings
from django.utils import timezone

import squids.testing
from squids.contrib.django import TaskBackend
from squids.contrib.django.task_backend import adopt, get_app
from tests.support.django_tasks import BACKEND, place, place_later

NAME = "tests.support.django_tasks.place"


def test_a_task_is_sent_as_plain_json_and_its_id_is_that_of_the_message(tasks_of):
    app = tasks_of("default")
    with squids.testing.outbox(app) as box:
        result = task(place).enqueue(("a", 1), gift=True)
    assert json.loads(box.sent[0].body) == {"task": NAME, "args": [["a", 1]], "kwargs": {"gift": True}}
    assert (box.sent[0].queue, box.sent[0].options) == ("default", {})
    assert (result.id, result.status) == (box.sent[0].id, TaskResultStatus.READY)
    assert (result.args, result.kwargs, result.attempts) == ([["a", 1]], {"gift": True}, 0)
    assert timezone.now() - result.enqueued_at < timedelta(minutes=1)


def test_a_coroutine_enqueues_without_blocking_its_loop(tasks_of):
    """And Django's signal is sent, as by `enqueue`: what a receiver raises does not undo the send."""
    app = tasks_of("default")
    told = []

    def receive(sender, task_result, **_):
        told.append((sender, task_result.id))
        raise RuntimeError("a receiver")

    task_enqueued.connect(receive)
    try:
        with squids.testing.outbox(app) as box:
            results = [asyncio.run(task(place_later).aenqueue(7)), task(place).enqueue(7)]
    finally:
        task_enqueued.disconnect(receive)
    assert told == [(TaskBackend, result.id) for result in results]
    assert [sent.task.rpartition(".")[2] for sent in box] == ["place_later", "place"]


def test_queues_and_priorities_become_queues_of_sqs(tasks_of):
    app = tasks_of(
        "default",
        "mail & more",
        SQS_QUEUES={"mail & more": "mail"},
        PRIORITY_QUEUES={50: "{queue}-urgent"},
    )
    assert default_task_backend.supports_priority
    sent_to = task(place)
    with squids.testing.outbox(app) as box:
        sent_to.using(queue_name="mail & more").enqueue(1)
        sent_to.using(queue_name="mail & more", priority=60).enqueue(2)
        sent_to.using(priority=49).enqueue(3)
    assert [sent.queue for sent in box] == ["mail", "mail-urgent", "default"]
    assert app.tasks[NAME].queues == ("default", "default-urgent", "mail", "mail-urgent")


def test_the_prefix_and_the_table_of_the_app_apply_too(tasks_of, monkeypatch):
    monkeypatch.setenv("SQUIDS_QUEUE_PREFIX", "staging-")
    app = tasks_of("default", SQS_QUEUES={"default": "jobs"})
    with squids.testing.outbox(app) as box:
        task(place).enqueue(1)
    assert box.sent[0].queue == "staging-jobs"


def test_a_task_for_later_is_delayed_by_sqs_for_as_long_as_sqs_can(tasks_of):
    app = tasks_of("default")
    now = timezone.now()
    with squids.testing.outbox(app) as box:
        for due in (now + timedelta(minutes=10), now - timedelta(days=1)):
            task(place).using(run_after=due).enqueue(1)
        with pytest.raises(InvalidTask, match="at most 900"):
            task(place).using(run_after=now + timedelta(hours=1)).enqueue(1)
    assert [sent.options.get("DelaySeconds", 0) > 500 for sent in box] == [True, False]


def test_a_naive_time_is_refused_or_local_as_django_is_set(tasks_of):
    app = tasks_of("default")
    soon = timezone.make_naive(timezone.now() + timedelta(minutes=5))
    with pytest.raises(InvalidTask, match="aware"):
        task(place).using(run_after=soon)
    with override_settings(USE_TZ=False), squids.testing.outbox(app) as box:
        result = task(place).using(run_after=timezone.now() + timedelta(minutes=5)).enqueue(1)
    assert 290 <= box.sent[0].options["DelaySeconds"] <= 300
    assert timezone.is_naive(result.enqueued_at)


def test_a_fifo_queue_has_a_group_and_takes_equal_calls_each(tasks_of):
    app = tasks_of("orders.fifo", MESSAGE_GROUP_ID=lambda task, args, kwargs: f"{task.name}-{args[0]}")
    ordered = task(queue_name="orders.fifo")(place)
    with squids.testing.outbox(app) as box:
        for order in (1, 1, 2):
            ordered.enqueue(order)
    assert [sent.options["MessageGroupId"] for sent in box] == ["place-1", "place-1", "place-2"]
    assert not any(sent.duplicate for sent in box)
    with pytest.raises(InvalidTask, match=r'run_after: the FIFO queue "orders\.fifo" delays no single'):
        ordered.using(run_after=timezone.now())


@pytest.mark.parametrize(
    ("defined", "says"),
    [
        ({"priority": 1}, "does not support setting priority"),
        ({"queue_name": "other"}, "Queue 'other' is not valid"),
        ({"takes_context": True}, "first argument of 'context'"),
    ],
)
def test_what_the_backend_does_not_take_is_refused_at_the_definition(tasks_of, defined, says):
    tasks_of("default")
    with pytest.raises(InvalidTask, match=says):
        task(**defined)(place)


def test_a_task_is_validated_once_more_when_it_is_enqueued(tasks_of):
    tasks_of("default")
    defined = task(place)
    app = tasks_of("emails")
    with squids.testing.outbox(app), pytest.raises(InvalidTask, match="Queue 'default' is not valid"):
        defined.enqueue(1)


@pytest.mark.parametrize(
    ("queue", "says"), [("a b", "SQS_QUEUES"), ("orders.fifo", "needs MESSAGE_GROUP_ID in OPTIONS")]
)
def test_where_any_queue_is_allowed_a_task_is_refused_that_sqs_could_not_take(tasks_of, queue, says):
    tasks_of()
    with pytest.raises(InvalidTask, match=says):
        task(queue_name=queue)(place)


@pytest.mark.parametrize(
    ("queue", "options", "says"),
    [
        ("default", {"PRIORITES": {}}, r'TASKS\["default"\]: unknown option "PRIORITES"'),
        ("a b", {}, r'TASKS\["default"\]: "a b" is not a queue'),
        ("orders.fifo", {}, "needs MESSAGE_GROUP_ID in OPTIONS"),
    ],
)
def test_a_backend_that_is_set_up_wrongly_says_so_when_it_is_first_used(tasks_of, queue, options, says):
    tasks_of(queue, **options)
    with pytest.raises(ImproperlyConfigured, match=says):
        task(place)


@pytest.mark.parametrize(
    ("args", "says"),
    [((1, 2), "too many positional"), ((), "missing a required argument"), ((timezone,), "Unsupported type")],
)
def test_arguments_that_do_not_fit_are_an_error_of_the_sender(tasks_of, args, says):
    app = tasks_of("default")
    with squids.testing.outbox(app) as box, pytest.raises(TypeError, match=says):
        task(place).enqueue(*args)
    assert not box


def test_results_are_not_there_to_get(tasks_of):
    app = tasks_of("default")
    assert not default_task_backend.supports_get_result
    with squids.testing.outbox(app):
        result = task(place).enqueue(1)
    for ask in (result.refresh, lambda: task(place).get_result(result.id)):
        with pytest.raises(NotImplementedError):
            ask()


def test_the_app_has_the_tasks_that_are_defined_and_those_of_other_backends_have_none(tasks_of):
    app = tasks_of("default")
    task(place)
    task(backend="immediate")(place_later)
    adopt(app)
    assert list(app.tasks) == [NAME]
    adopt(app)  # As when a second app of the project is imported.


def test_without_a_backend_of_ours_an_app_gets_no_tasks(tasks_of):
    app = tasks_of("default")
    task(place)
    with override_settings(TASKS={"default": {"BACKEND": "django.tasks.backends.dummy.DummyBackend"}}):
        adopt(app)
    assert not app.tasks


def test_a_task_of_squids_with_the_same_name_is_not_run_in_its_place(tasks_of):
    app = tasks_of("default")
    app.task("default")(place)
    with pytest.raises(squids.DuplicateTask, match=NAME):
        task(place).enqueue(1)


def test_a_check_finds_a_project_without_an_app_and_one_whose_app_is_of_another_kind(tasks_of, monkeypatch):
    app = tasks_of("default")
    assert default_task_backend.check() == []
    monkeypatch.setattr("squids.contrib.django.task_backend.get_app", lambda: squids.App("plain"))
    assert [error.id for error in default_task_backend.check()] == ["squids.E101"]
    monkeypatch.setattr("squids.contrib.django.task_backend.get_app", get_app)
    with override_settings(SQUIDS_APP="nowhere.app"):
        (error,) = default_task_backend.check()
    assert (error.id, "nowhere" in error.msg) == ("squids.E101", True)
    app.queue_names = type(app.queue_names)(prefix="x" * 79)
    monkeypatch.setattr("squids.contrib.django.task_backend.get_app", lambda: app)
    assert [error.id for error in default_task_backend.check()] == ["squids.E102"]


def test_the_package_has_the_backend_by_a_short_name():
    assert (
        f"{TaskBackend.__module__}.{TaskBackend.__name__}" == "squids.contrib.django.task_backend.TaskBackend"
    )
    assert BACKEND == "squids.contrib.django.TaskBackend"
    with override_settings(TASKS={"default": {"BACKEND": BACKEND}}):
        assert type(task_backends["default"]) is TaskBackend
    with pytest.raises(AttributeError):
        _ = squids.contrib.django.task_backends
