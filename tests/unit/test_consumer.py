"""The consumer in one's own process. SQS is a client that answers as the tests say."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

import squids
from squids.consumer import Consumer, ConsumeResult
from squids.queues import QueueRef

AWAY = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")


class SQS:
    """A queue's SQS, and its client."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.asked: dict[str, Any] = {}
        self.deleted: list[str] = []
        self.returned: list[tuple[str, int]] = []
        self.away = False

    def client(self, ref: QueueRef) -> SQS:
        return self

    def queue_url(self, ref: QueueRef) -> str:
        return f"https://sqs/{ref.name}"

    def put(self, name: str, body: str, group: str | None = None) -> None:
        attributes = {"ApproximateReceiveCount": "1", **({} if group is None else {"MessageGroupId": group})}
        self.messages.append(
            {"MessageId": name, "ReceiptHandle": f"r-{name}", "Body": body, "Attributes": attributes}
        )

    def receive_message(self, **asked: Any) -> dict[str, Any]:
        self.asked = asked
        return {"Messages": self.messages}

    def delete_message(self, *, QueueUrl: str, ReceiptHandle: str) -> None:
        if self.away:
            raise AWAY
        self.deleted.append(ReceiptHandle)

    def change_message_visibility(self, *, QueueUrl: str, ReceiptHandle: str, VisibilityTimeout: int) -> None:
        if self.away:
            raise AWAY
        self.returned.append((ReceiptHandle, VisibilityTimeout))


@pytest.fixture
def sqs() -> SQS:
    return SQS()


@pytest.fixture
def ran() -> list[str]:
    return []


@pytest.fixture
def app(ran) -> squids.App:
    made = squids.App("shop")

    @made.task("emails")
    def mail(name, fails=False):
        ran.append(name)
        if fails:
            raise ValueError(name)

    return made


def consumer(app: squids.App, sqs: SQS, queue: str = "emails") -> Consumer:
    return Consumer(sqs, app.tasks, app.hooks, QueueRef.parse(queue))


def call(app: squids.App, *args: Any) -> str:
    (name,) = app.tasks
    return json.dumps({"task": name, "args": args})


def test_each_message_is_run_and_what_succeeded_is_deleted(app, sqs, ran):
    sqs.put("m1", call(app, "a"))
    sqs.put("m2", call(app, "b"))
    assert consumer(app, sqs).consume() == ConsumeResult(received=2, done=2)
    assert (ran, sqs.deleted) == (["a", "b"], ["r-m1", "r-m2"])


def test_a_message_that_fails_never_stops_the_rest(app, sqs, ran, caplog):
    """It is left alone, and comes back by itself. The log says which it was, and why."""
    sqs.put("m1", call(app, "a", True))
    sqs.put("m2", "no JSON")
    sqs.put("m3", call(app, "c"))
    assert consumer(app, sqs).consume() == ConsumeResult(received=3, done=1, failed=2)
    assert (ran, sqs.deleted, sqs.returned) == (["a", "c"], ["r-m3"], [])
    failed, bad = caplog.records
    assert (failed.action, failed.message_id, failed.queue) == ("task_failed", "m1", "emails")
    assert failed.getMessage() == "task failed: ValueError: a"
    assert "in mail" in failed.traceback
    assert (bad.action, bad.message_id) == ("bad_message", "m2")


def test_behind_a_failed_one_of_its_fifo_group_nothing_runs(app, sqs, ran):
    """It goes back at once, in its order; other groups go on."""
    sqs.put("m1", call(app, "a1", True), "a")
    sqs.put("m2", call(app, "b1"), "b")
    sqs.put("m3", call(app, "a2"), "a")
    sqs.put("m4", call(app, "b2"), "b")
    result = consumer(app, sqs, "orders.fifo").consume()
    assert result == ConsumeResult(received=4, done=2, failed=1, returned=1)
    assert ran == ["a1", "b1", "b2"]
    assert sqs.returned == [("r-m3", 0)]


def test_a_group_on_another_queue_orders_nothing(app, sqs, ran):
    """There it is for fair shares (MessageGroupId of a standard queue)."""
    sqs.put("m1", call(app, "a1", True), "a")
    sqs.put("m2", call(app, "a2"), "a")
    assert consumer(app, sqs).consume() == ConsumeResult(received=2, done=1, failed=1)
    assert ran == ["a1", "a2"]


def test_a_delete_that_fails_is_told_and_stops_nothing(app, sqs, ran, caplog):
    """The message will run again, so it does not count as done; and the group behind it waits for it."""
    sqs.away = True
    sqs.put("m1", call(app, "a1"), "a")
    sqs.put("m2", call(app, "b1"), "b")
    sqs.put("m3", call(app, "a2"), "a")
    result = consumer(app, sqs, "orders.fifo").consume()
    assert result == ConsumeResult(received=3, done=0, failed=2, returned=1)
    assert ran == ["a1", "b1"]
    failed = [record for record in caplog.records if record.action == "settle_failed"]
    levels = {record.message_id: record.levelno for record in failed}
    assert len(failed) == 3
    assert levels == {"m1": logging.ERROR, "m2": logging.ERROR, "m3": logging.WARNING}


def test_options_are_those_of_a_receive(app, sqs):
    """What is needed here is asked for besides what the caller asks for, once."""
    options = {"MaxNumberOfMessages": 3, "MessageSystemAttributeNames": ["SentTimestamp", "SenderId"]}
    consumer(app, sqs).consume(options)
    names = sqs.asked.pop("MessageSystemAttributeNames")
    assert sqs.asked == {"QueueUrl": "https://sqs/emails", "MaxNumberOfMessages": 3}
    assert sorted(names) == ["ApproximateReceiveCount", "MessageGroupId", "SenderId", "SentTimestamp"]
    assert "MessageSystemAttributeNames" in options, "the caller's own is left alone"


def test_all_attributes_are_asked_for_as_all(app, sqs):
    consumer(app, sqs).consume({"MessageSystemAttributeNames": ["All"]})
    assert sqs.asked["MessageSystemAttributeNames"] == ["All"]


def test_a_receive_that_fails_is_its_callers(app, sqs):
    def receive_message(**_: Any) -> None:
        raise AWAY

    sqs.receive_message = receive_message
    with pytest.raises(EndpointConnectionError):
        consumer(app, sqs).consume()


def test_that_the_app_has_no_task_for_its_queue_is_told_once(app, sqs, caplog):
    """As by the command: messages may name other tasks, so it is a warning."""
    other = consumer(app, sqs, "others")
    assert caplog.records == [], "tasks may still be registered"
    for _ in range(2):
        other.consume()
    (record,) = caplog.records
    assert (record.levelno, record.action) == (logging.WARNING, "no_task")
    assert record.getMessage().startswith(
        "the app has no task for the queue others; it has tasks for: emails."
    )
    caplog.clear()
    consumer(app, sqs).consume()
    assert caplog.records == []


LIFE = ["consumer_start", "worker_start", "worker_stop", "consumer_stop"]


def register(app: squids.App, ran: list[str]) -> None:
    for kind in LIFE:
        getattr(app, kind)(lambda kind=kind: ran.append(kind))


def test_as_a_context_it_is_consumer_and_worker_in_one(app, sqs, ran):
    """Its hooks run around all receives, once."""
    register(app, ran)
    sqs.put("a", call(app, "a"))
    with consumer(app, sqs) as entered:
        assert ran == LIFE[:2]
        entered.consume()
    assert ran == [*LIFE[:2], "a", *LIFE[2:]]


def test_without_a_context_the_process_is_its_owners(app, sqs, ran):
    """It begins and ends when they say, and a single receive does not."""
    register(app, ran)
    consumer(app, sqs).consume()
    assert ran == []


def test_a_start_hook_that_raises_ends_what_was_begun(app, sqs, ran):
    """The caller gets the exception; what has started is stopped."""

    @app.worker_start
    def connect():
        raise LookupError("no database")

    register(app, ran)
    with pytest.raises(LookupError), consumer(app, sqs):
        pytest.fail("it did not start")
    assert ran == ["consumer_start", "consumer_stop"]
