"""What boto3 sees of the strict model, of moto and of fauxqs: the same tests for all three.

The model is held to the documentation; where an emulator differs, a test says so and notices when it is mended.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from contextlib import closing

import pytest
from botocore.exceptions import ClientError

from tests.support import servers
from tests.support.waiting import wait_until

SERVERS = ("strict", "moto", "fauxqs")


@pytest.fixture(params=SERVERS)
def client(request):
    """A boto3 client of one of the three."""
    name = request.param
    differing = request.node.get_closest_marker("differs")
    if differing is not None and name in differing.kwargs:
        why = differing.kwargs[name]
        request.applymarker(pytest.mark.xfail(reason=f"{name} {why}", strict=True))
    fixture = request.getfixturevalue(
        {"strict": "strict_sqs", "moto": "moto_url", "fauxqs": "fauxqs_url"}[name]
    )
    with closing(servers.client(fixture.endpoint_url if name == "strict" else fixture)) as client:
        yield client


@pytest.fixture
def new(client) -> Callable[..., str]:
    """Make a queue; its URL."""

    def make(suffix: str = "", **attributes: str) -> str:
        if suffix == ".fifo":
            attributes["FifoQueue"] = "true"
        name = f"q-{uuid.uuid4().hex}{suffix}"
        return client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    return make


def send(client, url, body, group=None):
    extra = {"MessageGroupId": group, "MessageDeduplicationId": uuid.uuid4().hex} if group else {}
    return client.send_message(QueueUrl=url, MessageBody=body, **extra)["MessageId"]


def receive(client, url, count=10, visibility=30, wait=0, **extra):
    return client.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=count,
        VisibilityTimeout=visibility,
        WaitTimeSeconds=wait,
        MessageSystemAttributeNames=["All"],
        **extra,
    ).get("Messages", [])


def change(client, url, message, seconds):
    client.change_message_visibility(
        QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=seconds
    )


def bodies(messages):
    return [message["Body"] for message in messages]


@pytest.mark.differs(fauxqs="refuses characters beyond U+FFFF")
def test_a_message_is_received_as_it_was_sent(client, new):
    """Body, id, attributes and system attributes come as documented."""
    url = new()
    sent = client.send_message(
        QueueUrl=url,
        MessageBody="héllo 🦑",
        MessageAttributes={"who": {"DataType": "String", "StringValue": "me"}},
    )
    (message,) = receive(client, url, MessageAttributeNames=["All"])
    assert message["Body"] == "héllo 🦑"
    assert message["MessageId"] == sent["MessageId"]
    assert message["MD5OfBody"] == sent["MD5OfMessageBody"]
    assert message["MessageAttributes"]["who"]["StringValue"] == "me"
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert int(message["Attributes"]["SentTimestamp"]) > 1_600_000_000_000


def test_an_empty_answer_has_no_messages_key(client, new):
    """A receive from an empty queue is answered without the key."""
    assert "Messages" not in client.receive_message(QueueUrl=new())


def test_visibility_0_shows_a_message_at_once_with_a_new_receipt(client, new):
    """Given back, it is received again at once, with another receipt and one more on its count."""
    url = new()
    send(client, url, "a")
    (first,) = receive(client, url)
    assert receive(client, url) == []
    change(client, url, first, 0)
    (second,) = receive(client, url)
    assert second["MessageId"] == first["MessageId"]
    assert second["ReceiptHandle"] != first["ReceiptHandle"]
    assert second["Attributes"]["ApproximateReceiveCount"] == "2"


@pytest.mark.differs(moto="deletes with any receipt that it ever gave")
def test_an_old_receipt_deletes_nothing(client, new):
    """A delete with an old receipt succeeds and leaves the message."""
    url = new()
    send(client, url, "a")
    (first,) = receive(client, url)
    change(client, url, first, 0)
    (second,) = receive(client, url)
    client.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    change(client, url, second, 0)
    assert len(receive(client, url)) == 1


def test_a_long_poll_answers_as_soon_as_a_message_is_there(client, new):
    """A receive that waits is answered by a message that comes meanwhile, long before its time is over."""
    url = new()
    got: list[str] = []
    thread = threading.Thread(target=lambda: got.extend(bodies(receive(client, url, wait=20))))
    thread.start()
    send(client, url, "a")
    thread.join(10)
    assert got == ["a"]


DELETES_ANY = pytest.mark.differs(fauxqs="says that it deleted what it never gave")


@pytest.mark.parametrize("action", [pytest.param("delete", marks=DELETES_ANY), "visibility"])
def test_a_batch_is_answered_entry_by_entry(client, new, action):
    """A bad receipt among good ones fails alone, in an answer of 200."""
    url = new()
    for body in ("a", "b"):
        send(client, url, body)
    messages = []
    wait_until(lambda: messages.extend(receive(client, url)) or len(messages) == 2)
    entries = [{"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)]
    entries.insert(1, {"Id": "bad", "ReceiptHandle": "not-a-receipt"})
    if action == "delete":
        answer = client.delete_message_batch(QueueUrl=url, Entries=entries)
    else:
        entries = [{**entry, "VisibilityTimeout": 60} for entry in entries]
        answer = client.change_message_visibility_batch(QueueUrl=url, Entries=entries)
    assert sorted(entry["Id"] for entry in answer["Successful"]) == ["0", "1"]
    (failed,) = answer["Failed"]
    assert failed["Id"] == "bad"
    assert failed["Code"].endswith("ReceiptHandleIsInvalid")


@pytest.mark.parametrize(
    ("ids", "error"),
    [
        ([], "EmptyBatchRequest"),
        ([str(number) for number in range(11)], "TooManyEntriesInBatchRequest"),
        (["a", "a"], "BatchEntryIdsNotDistinct"),
        (["a b"], "InvalidBatchEntryId"),
    ],
)
def test_a_wrong_batch_is_refused_whole(client, new, ids, error):
    """No entry, more than ten, two of one id, an id of wrong characters: modelled exceptions."""
    url = new()
    entries = [{"Id": entry_id, "MessageBody": "x"} for entry_id in ids]
    with pytest.raises(getattr(client.exceptions, error)):
        client.send_message_batch(QueueUrl=url, Entries=entries)


def test_a_queue_that_does_not_exist_is_a_modelled_exception(client, new):
    """By name and by URL, botocore raises QueueDoesNotExist, with the older code in it."""
    url = new()
    with pytest.raises(client.exceptions.QueueDoesNotExist):
        client.get_queue_url(QueueName="nothing")
    with pytest.raises(client.exceptions.QueueDoesNotExist) as caught:
        client.receive_message(QueueUrl=url + "-nothing")
    assert caught.value.response["Error"]["Code"] == "AWS.SimpleQueueService.NonExistentQueue"


def test_a_message_moves_to_the_dead_letter_queue_at_the_receive_that_exceeds(client, new):
    """With maxReceiveCount 2 the third receive brings nothing, and the dead-letter queue has it."""
    dead = new()
    arn = client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    url = new(RedrivePolicy=f'{{"deadLetterTargetArn": "{arn}", "maxReceiveCount": "2"}}')
    send(client, url, "a")
    for _ in range(2):
        (message,) = receive(client, url)
        change(client, url, message, 0)
    assert receive(client, dead) == []
    assert receive(client, url) == []
    assert bodies(receive(client, dead)) == ["a"]


def test_twelve_hours_of_visibility_are_too_many_after_a_receive(client, new):
    """43,200 seconds asked for after the receive are beyond the limit."""
    url = new()
    send(client, url, "a")
    (message,) = receive(client, url)
    with pytest.raises(ClientError):
        change(client, url, message, 43_201)


@pytest.mark.differs(fauxqs="does not count from the receive")
def test_the_total_visibility_is_counted_from_the_receive(client, new):
    """43,200 itself is an error, for some of the twelve hours has passed."""
    url = new()
    send(client, url, "a")
    (message,) = receive(client, url)
    with pytest.raises(ClientError):
        change(client, url, message, 43_200)


@pytest.mark.differs(moto="takes NUL bytes")
def test_characters_that_xml_does_not_know_are_refused(client, new):
    """A NUL byte in a body is InvalidMessageContents."""
    with pytest.raises(client.exceptions.InvalidMessageContents):
        send(client, new(), "a\0b")


def test_a_message_of_more_than_a_mebibyte_is_refused(client, new):
    """1,048,576 bytes may be sent, one more may not."""
    url = new()
    send(client, url, "x" * 1_048_576)
    with pytest.raises(ClientError):
        send(client, url, "x" * 1_048_577)


def test_on_fifo_a_group_is_required(client, new):
    """A send to a FIFO queue without a group fails."""
    with pytest.raises(ClientError) as caught:
        client.send_message(QueueUrl=new(".fifo"), MessageBody="x", MessageDeduplicationId="1")
    assert caught.value.response["Error"]["Code"].endswith("MissingParameter")


def test_a_repeated_send_is_delivered_once(client, new):
    """Two sends of one deduplication id are one message."""
    url = new(".fifo")
    for body in ("a", "b"):
        client.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="g", MessageDeduplicationId="1")
    assert bodies(receive(client, url)) == ["a"]


@pytest.mark.differs(fauxqs="gives one of a group per receive")
def test_a_fifo_receive_brings_many_of_one_group_in_order(client, new):
    """As many of one group as there are come in one receive, in order."""
    url = new(".fifo")
    for body in ("1", "2", "3"):
        send(client, url, body, "g")
    assert bodies(receive(client, url)) == ["1", "2", "3"]


def test_a_group_is_locked_while_one_of_it_is_in_flight(client, new):
    """The next of a group comes when the one before is deleted."""
    url = new(".fifo")
    for body in ("1", "2"):
        send(client, url, body, "g")
    (first,) = receive(client, url, count=1)
    assert receive(client, url) == []
    client.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    assert bodies(receive(client, url)) == ["2"]


@pytest.mark.differs(moto="deletes it", fauxqs="deletes it")
def test_on_fifo_an_expired_receipt_does_not_delete(client, new):
    """A delete after the visibility ran out fails."""
    url = new(".fifo")
    send(client, url, "1", "g")
    (message,) = receive(client, url)
    change(client, url, message, 0)
    with pytest.raises(ClientError):
        client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


@pytest.mark.differs(moto="knows no attempt ids", fauxqs="knows no attempt ids")
def test_an_attempt_id_gives_the_same_messages_again(client, new):
    """A repeated receive with its attempt id brings what the first one brought."""
    url = new(".fifo")
    send(client, url, "1", "g")
    (first,) = receive(client, url, ReceiveRequestAttemptId="attempt")
    assert receive(client, url, ReceiveRequestAttemptId="another") == []
    (again,) = receive(client, url, ReceiveRequestAttemptId="attempt")
    assert again["ReceiptHandle"] == first["ReceiptHandle"]
