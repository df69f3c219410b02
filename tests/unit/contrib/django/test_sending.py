"""Sends that wait for a commit."""

from __future__ import annotations

import logging

import pytest
from django.db import connections, transaction
from django.test import TestCase

import squids
import squids.testing
from squids.contrib.django.app import App, DjangoTask
from squids.contrib.django.sending import send_job_on_commit, send_on_commit


@pytest.fixture
def app():
    return App("shop")


@pytest.fixture
def pay(app):
    @app.task("orders")
    def pay(order: int, how: list[str] = ()) -> None:
        pass

    return pay


@pytest.fixture
def box(app):
    with squids.testing.outbox(app) as box:
        yield box


def test_a_call_is_sent_once_the_transaction_is_committed(pay, box):
    with transaction.atomic():
        pay.send_on_commit(7)
        with transaction.atomic():
            send_on_commit(pay, order=8)
        assert not box
    assert [sent.arguments for sent in box] == [{"order": 7}, {"order": 8}]


def test_a_call_of_a_transaction_that_is_rolled_back_is_not_sent(pay, box):
    with transaction.atomic():
        pay.send_on_commit(7)
        transaction.set_rollback(True)
    with transaction.atomic():
        with transaction.atomic():
            pay.send_on_commit(8)
            transaction.set_rollback(True)
        pay.send_on_commit(9)
    assert [sent.args for sent in box] == [(9,)]


def test_outside_of_a_transaction_it_is_sent_at_once(pay, box):
    pay.send_on_commit(7)
    assert len(box) == 1


def test_it_waits_for_the_database_that_is_named(pay, box):
    with transaction.atomic(using="archive"):
        with transaction.atomic():
            pay.send_job_on_commit([7], options={"DelaySeconds": 5}, queue="late", using="archive")
        assert not box
    (sent,) = box["late"]
    assert (sent.args, sent.options) == ((7,), {"DelaySeconds": 5})


@pytest.mark.parametrize(
    ("args", "options", "queue", "problem"),
    [
        ([], None, None, "order"),
        ([object()], None, None, "order"),
        ([1], {"Delay": 1}, None, "DelaySeconds"),
        ([1], None, "no name", "no name"),
    ],
)
def test_what_is_wrong_with_a_call_is_said_where_it_is_made(pay, box, args, options, queue, problem):
    with transaction.atomic(), pytest.raises((TypeError, ValueError), match=problem):
        pay.send_job_on_commit(args, options=options, queue=queue)
    assert not box


def test_what_changes_until_the_commit_does_not_matter(app, pay, box):
    how, options = ["card"], {"MessageAttributes": {"a": {"DataType": "String", "StringValue": "b"}}}
    hooked = []
    app.pre_send(lambda queue, body: hooked.append(body["args"]))
    with transaction.atomic():
        pay.send_job_on_commit([7, how], options=options)
        how.append("cash")
        options["MessageAttributes"].clear()
    (sent,) = box
    assert sent.args == (7, ["card"]) and hooked == [[7, ["card"]]]
    assert set(sent.options["MessageAttributes"]) == {"a"}


def test_hooks_run_with_the_send_and_may_change_it(app, pay, box):
    app.pre_send(lambda queue, body: body["args"].append(["card"]))
    with transaction.atomic():
        pay.send_on_commit(7)
    assert box.sent[0].args == (7, ["card"])


def test_a_send_that_fails_raises_at_the_end_of_the_transaction(app, pay, box):
    """It is committed by then, and Django runs none of its later callbacks."""

    @app.pre_send
    def refuse(queue, body):
        raise ConnectionError("no SQS")

    with pytest.raises(ConnectionError), transaction.atomic():
        pay.send_on_commit(7)
    assert not connections["default"].in_atomic_block


def test_a_robust_send_that_fails_is_logged(app, pay, box, caplog):
    @app.pre_send
    def refuse(queue, body):
        raise ConnectionError("no SQS")

    with caplog.at_level(logging.ERROR):
        with transaction.atomic():
            pay.send_job_on_commit([7], robust=True)
        pay.send_job_on_commit([8], robust=True)
    assert caplog.text.count("ConnectionError: no SQS") == 2


def test_the_helper_of_djangos_tests_sees_it(pay, box):
    with transaction.atomic():
        with TestCase.captureOnCommitCallbacks(execute=True) as callbacks:
            pay.send_on_commit(7)
            assert not box
        transaction.set_rollback(True)  # As TestCase ends each test.
    assert len(callbacks) == 1 and len(box) == 1


def test_tasks_of_any_app_can_be_sent_so(app):
    plain = squids.App("plain")

    @plain.task("orders")
    def work(order):
        pass

    with squids.testing.outbox() as box, transaction.atomic():
        send_job_on_commit(work, kwargs={"order": 1})
        assert not box
    assert len(box) == 1


def test_a_task_is_a_class_too(app, box):
    @app.add_task
    class Pay(DjangoTask):
        queue = "orders"

        def run(self, order):
            pass

    with transaction.atomic():
        Pay.send_on_commit(7)
    assert box.sent[0].args == (7,)
