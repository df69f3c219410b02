"""A task of Django in a worker: its context, its signals, and how it ends."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from datetime import UTC
from uuid import UUID

import pytest

pytest.importorskip("django.tasks", reason="Django's TASKS needs Django 6, which needs Python 3.12")

from django.tasks import TaskResultStatus, default_task_backend, task
from django.tasks.signals import task_finished, task_started
from django.test import override_settings
from django.utils import timezone

import squids.testing
from squids.contrib.django import TaskBackend
from squids.contrib.django.task_backend import adopt
from squids.contrib.django.task_runs import Runner
from tests.support.django_tasks import CALLS, describe, fail, place, place_later


@pytest.fixture
def app(tasks_of):
    CALLS.clear()
    return tasks_of("default")


@pytest.fixture
def told():
    """What the signals of jobs told, in order."""
    heard = []

    def receive(sender, signal, task_result, **_):
        assert sender is TaskBackend
        heard.append((signal, task_result.status, task_result))

    for signal in (task_started, task_finished):
        signal.connect(receive)
    yield heard
    for signal in (task_started, task_finished):
        signal.disconnect(receive)


def test_a_function_and_a_coroutine_function_run(app):
    with squids.testing.outbox(app) as box:
        task(place).enqueue(1, gift=True)
        task(place_later).enqueue(2)
        box.run_all()
    assert CALLS == [(1, True), 2]


def test_the_context_has_the_attempt_as_sqs_counts_it(app):
    with squids.testing.outbox(app) as box:
        described = task(takes_context=True)(describe)
        result = described.enqueue(7)
        failing = iter([True, False])

        @app.around_task
        @contextmanager
        def fails_once(job):
            yield
            if next(failing):
                raise RuntimeError("commit failed")

        box.run_all()
    (first, order), (second, _) = CALLS
    assert (first.attempt, second.attempt, order) == (1, 2, 7)
    assert {first.task_result.id, second.task_result.id} == {result.id}
    assert first.task_result.task is described
    assert first.task_result.enqueued_at.tzinfo is UTC
    assert first.task_result.worker_ids[0].endswith(f":{os.getpid()}")


def test_what_calls_look_like_is_shown_without_the_context(app):
    run = Runner(task(takes_context=True)(describe), default_task_backend)
    assert str(run.__signature__) == "(order: 'int') -> 'None'"
    assert run.__wrapped__ is describe


def test_signals_tell_of_the_start_and_the_end_with_the_value_that_was_returned(app, told):
    with squids.testing.outbox(app) as box:
        task(place).enqueue(1)
        box.run_all()
    assert [signal for signal, *_ in told] == [task_started, task_finished]
    assert [status for _, status, _ in told] == [TaskResultStatus.RUNNING, TaskResultStatus.SUCCESSFUL]
    result = told[0][2]
    assert result is told[1][2]
    assert (result.return_value, result.is_finished, result.errors) == ("order 1", True, [])
    assert result.enqueued_at <= result.started_at <= result.finished_at


def test_a_task_that_is_defined_for_another_backend_is_told_as_of_the_one_that_sent_it(app, told):
    with squids.testing.outbox(app) as box:
        task(backend="immediate")(place).using(backend="default").enqueue(1)
        box.run_all()
    assert CALLS == [(1, False)]
    assert [result.backend for *_, result in told] == ["default", "default"]


def test_a_failure_is_told_with_its_traceback_and_is_a_failed_job(app, told):
    with squids.testing.outbox(app, max_receives=1) as box:
        task(fail).enqueue()
        (run,) = box.run_all(check=False)
    assert str(run.error) == "no stock"
    result = told[-1][2]
    assert (told[-1][:2], result.attempts) == ((task_finished, TaskResultStatus.FAILED), 1)
    (error,) = result.errors
    assert error.exception_class is ValueError
    assert "in fail\n" in error.traceback
    assert "squids/contrib" not in error.traceback


def test_a_task_that_is_interrupted_has_not_ended(app, told):
    """As with the backends of Django: the process is about to end."""
    with squids.testing.outbox(app) as box:
        task(interrupt).enqueue()
        with pytest.raises(KeyboardInterrupt):
            box.run_all()
    assert [signal for signal, *_ in told] == [task_started]


def interrupt():
    raise KeyboardInterrupt


def test_what_a_receiver_raises_decides_nothing(app):
    """The task would run again, though it is done."""

    def receive(**_):
        raise RuntimeError("a receiver")

    for signal in (task_started, task_finished):
        signal.connect(receive)
    try:
        with squids.testing.outbox(app) as box:
            task(place).enqueue(1)
            (run,) = box.run_all()
    finally:
        for signal in (task_started, task_finished):
            signal.disconnect(receive)
    assert run.error is None


def test_a_value_that_json_has_not_is_no_failure(app, told):
    """The work is done."""
    with squids.testing.outbox(app) as box:
        task(returns_an_object).enqueue()
        (run,) = box.run_all()
    assert run.error is None
    assert told[-1][2].return_value is None


def returns_an_object():
    return object()


def test_a_task_that_returns_what_nobody_runs_has_failed(app, told):
    with squids.testing.outbox(app, max_receives=1) as box:
        task(returns_a_generator).enqueue()
        (run,) = box.run_all(check=False)
    assert type(run.error) is squids.NeverRan
    assert told[-1][1] is TaskResultStatus.FAILED


def returns_a_generator():
    return (number for number in (1, 2))


def test_the_annotations_of_a_task_convert_nothing(app):
    """Django's tasks get what JSON gives, with any backend."""
    with squids.testing.outbox(app) as box:
        task(takes_an_id).enqueue("7d444840-9dc0-11d1-b245-5ffdce74fad2")
        box.run_all()
    assert CALLS == ["7d444840-9dc0-11d1-b245-5ffdce74fad2"]


def takes_an_id(order: UUID):
    CALLS.append(order)


def test_times_are_naive_where_django_has_none_with_zones(app, told):
    with override_settings(USE_TZ=False), squids.testing.outbox(app) as box:
        task(place).enqueue(1)
        box.run_all()
        result = told[-1][2]
        assert timezone.is_naive(result.enqueued_at)
        assert abs((result.finished_at - result.enqueued_at).total_seconds()) < 600


def test_django_s_log_does_not_repeat_what_squids_says_of_a_job(app, caplog):
    adopt(app)
    with caplog.at_level(logging.DEBUG, "django"), squids.testing.outbox(app, max_receives=1) as box:
        task(fail).enqueue()
        box.run_all(check=False)
    assert [record.getMessage().partition(" path")[2] for record in caplog.records] == [
        "=tests.support.django_tasks.fail enqueued backend=default"
    ]
