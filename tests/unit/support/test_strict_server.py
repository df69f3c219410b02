"""What a test does with the strict model: faults, held answers, counts and events, over HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, HTTPClientError

from tests.support import servers
from tests.support.strict_sqs import StrictSQS


@pytest.fixture
def server(strict_sqs: StrictSQS) -> StrictSQS:
    strict_sqs.create("q")
    return strict_sqs


@pytest.fixture
def client(server: StrictSQS) -> Iterator[Any]:
    with closing(servers.client(server.endpoint_url)) as client:
        yield client


def receive(client, server, **arguments):
    return client.receive_message(QueueUrl=server.url("q"), **arguments).get("Messages", [])


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("500", 500, "500"),
        ("503", 503, "503"),
        ("throttle", 400, "RequestThrottled"),
        ("expired", 403, "ExpiredToken"),
        ("denied", 403, "AccessDenied"),
    ],
)
def test_the_next_calls_of_an_action_fail(client, server, kind, status, code):
    """So many calls of the action fail, in the way asked for; those of others and later ones do not."""
    server.put("q", "a")
    server.fail(kind, action="ReceiveMessage", times=2)
    assert client.get_queue_url(QueueName="q")["QueueUrl"] == server.url("q")
    for _ in range(2):
        with pytest.raises(ClientError) as caught:
            receive(client, server)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
        assert caught.value.response["Error"]["Code"] == code
    assert len(receive(client, server)) == 1
    assert server.faults.left == 0


def test_a_throttled_call_is_a_modelled_exception(client, server):
    """Botocore maps the type in the body to the exception of the model."""
    server.fail("throttle")
    with pytest.raises(client.exceptions.RequestThrottled):
        receive(client, server)


def test_an_answer_that_is_not_json(client, server):
    """Garbage of status 200, as from a proxy's page, is an empty answer to botocore: a trap for consumers."""
    server.put("q", "a")
    server.fail("garbage")
    answer = client.receive_message(QueueUrl=server.url("q"))
    assert "Messages" not in answer
    assert answer["ResponseMetadata"]["HTTPHeaders"]["content-type"].startswith("text/html")
    assert len(receive(client, server)) == 1


@pytest.mark.parametrize(("kind", "received"), [("cut", 0), ("cut_after", 1)])
def test_a_cut_connection(client, server, kind, received):
    """`cut` has no effect; after `cut_after` the message is in flight with nobody."""
    message = server.put("q", "a")
    server.fail(kind, action="ReceiveMessage")
    with pytest.raises((ConnectionClosedError, HTTPClientError)):
        receive(client, server)
    assert message.receive_count == received


def test_a_delayed_call_is_answered_late(client, server):
    """`delay` takes its seconds, and then the call goes its way."""
    server.put("q", "a")
    server.fail("delay", seconds=0.2)
    before = time.monotonic()
    assert len(receive(client, server)) == 1
    assert time.monotonic() - before >= 0.2


def test_a_latency_is_added_to_each_call(client, server):
    """Calls take at least the latency, in parallel."""
    server.latency = 0.05
    before = time.monotonic()
    receive(client, server)
    assert time.monotonic() - before >= 0.05


@pytest.mark.parametrize(("kind", "failed"), [("entry", ["0"]), ("missing", [])])
def test_the_first_entry_of_a_batch_is_refused_or_forgotten(client, server, kind, failed):
    """A fault of an entry has no effect on its message, and none on the other entries."""
    for body in ("a", "b"):
        server.put("q", body)
    entries = [
        {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
        for number, message in enumerate(receive(client, server, MaxNumberOfMessages=2))
    ]
    server.fail(kind, action="DeleteMessageBatch", code="Odd")
    answer = client.delete_message_batch(QueueUrl=server.url("q"), Entries=entries)
    assert [entry["Id"] for entry in answer["Successful"]] == ["1"]
    assert [entry["Id"] for entry in answer.get("Failed", [])] == failed
    assert all(entry["Code"] == "Odd" for entry in answer.get("Failed", []))
    assert len(server.queues["q"].messages) == 1


def test_an_unknown_fault_is_an_error_of_the_test(server):
    """A fault of a kind that does not exist is refused, not ignored."""
    with pytest.raises(ValueError, match="no such fault: 404"):
        server.fail("404")


def test_a_held_answer_has_taken_effect(client, server):
    """While the answer is held back, the message is in flight; released, it comes."""
    answer = server.hold("ReceiveMessage")
    message = server.put("q", "a")
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.extend(receive(client, server)))
    thread.start()
    server.wait_until(lambda: server.held["ReceiveMessage"] == 1)
    assert server.queues["q"].in_flight() == [message]
    assert got == []
    answer.set()
    thread.join(10)
    assert len(got) == 1


def test_what_is_done_together_is_seen_together(client, server):
    """A long poll sees all messages of one block, not only the first."""
    got: list[Any] = []
    ask = {"MaxNumberOfMessages": 10, "WaitTimeSeconds": 20}
    thread = threading.Thread(target=lambda: got.extend(receive(client, server, **ask)))
    thread.start()
    server.wait_until(lambda: server.calls["ReceiveMessage"] == 1)
    with server.together():
        for number in range(5):
            server.put("q", str(number))
    thread.join(10)
    assert len(got) == 5


def test_a_long_poll_sees_what_becomes_visible_by_time(client, server):
    """A poll under way brings a message whose visibility runs out meanwhile."""
    server.put("q", "a")
    receive(client, server, VisibilityTimeout=1)
    assert len(receive(client, server, WaitTimeSeconds=20)) == 1


def test_calls_requests_and_events_are_kept(client, server):
    """What was asked is counted and kept; what happened to each message is told in order."""
    message = server.put("q", "a")
    (got,) = receive(client, server, VisibilityTimeout=7)
    client.delete_message(QueueUrl=server.url("q"), ReceiptHandle=got["ReceiptHandle"])
    assert server.calls == {"ReceiveMessage": 1, "DeleteMessage": 1}
    assert server.asked("ReceiveMessage")[0]["VisibilityTimeout"] == 7
    assert [(event.action, event.seconds) for event in server.events] == [
        ("SendMessage", None),
        ("ReceiveMessage", 7),
        ("DeleteMessage", None),
    ]
    assert len(server.happened("ReceiveMessage", message.message_id)) == 1


def test_an_action_that_it_does_not_know_is_an_error(client, server):
    """Nothing is accepted silently."""
    with pytest.raises(ClientError, match="InvalidAction"):
        client.list_queues()


def test_close_ends_polls_under_way():
    """A server that is closed leaves no thread behind."""
    server = StrictSQS().start()
    server.create("q")
    with closing(servers.client(server.endpoint_url)) as client:
        thread = threading.Thread(
            target=_ignoring_errors(lambda: receive(client, server, WaitTimeSeconds=20))
        )
        thread.start()
        server.wait_until(lambda: server.calls["ReceiveMessage"] == 1)
        server.close()
        thread.join(10)
    assert not thread.is_alive()


def _ignoring_errors(call):
    def run():
        try:
            call()
        except Exception:
            return

    return run
