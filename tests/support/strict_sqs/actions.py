"""The actions of the API: each takes the server, with its lock held, and the request, and gives the answer."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.support.strict_sqs import checks
from tests.support.strict_sqs.checks import SQSError
from tests.support.strict_sqs.faults import ENTRY_KINDS, failed_entry
from tests.support.strict_sqs.queue import Message, Queue, md5

if TYPE_CHECKING:
    from tests.support.strict_sqs.server import StrictSQS

Data = dict[str, Any]
Action = Callable[["StrictSQS", Data], Data]

REGION = "us-east-1"
ACCOUNT = "123456789012"


def arn(queue: Queue) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue.name}"


# Queues.


def create_queue(server: StrictSQS, data: Data) -> Data:
    name, attributes = data["QueueName"], data.get("Attributes", {})
    if name.endswith(".fifo") != (attributes.get("FifoQueue") == "true"):
        # API_CreateQueue: the name of a FIFO queue ends with .fifo, and FifoQueue says so too.
        raise checks.bad_value("Can only include alphanumeric characters, hyphens, or underscores.")
    settings: Data = {
        "visibility": int(attributes.get("VisibilityTimeout", 30)),
        "delay": int(attributes.get("DelaySeconds", 0)),
        "content_deduplication": attributes.get("ContentBasedDeduplication") == "true",
    }
    if "RedrivePolicy" in attributes:
        policy = json.loads(attributes["RedrivePolicy"])
        settings["dead_letter"] = server.named(policy["deadLetterTargetArn"].rpartition(":")[2])
        settings["max_receive_count"] = int(policy.get("maxReceiveCount", 10))
    earlier = server.queues.get(name)
    if earlier is None:
        server.create(name, **settings)
    elif any(getattr(earlier, key) != value for key, value in settings.items()):
        raise checks.of_service(
            "QueueNameExists", "A queue of that name has other attributes.", "QueueAlreadyExists"
        )
    return {"QueueUrl": server.url(name)}


def delete_queue(server: StrictSQS, data: Data) -> Data:
    del server.queues[server.queue_of(data).name]
    return {}


def get_queue_url(server: StrictSQS, data: Data) -> Data:
    return {"QueueUrl": server.url(server.named(data["QueueName"]).name)}


def get_queue_attributes(server: StrictSQS, data: Data) -> Data:
    queue = server.queue_of(data)
    every = {
        "QueueArn": arn(queue),
        "ApproximateNumberOfMessages": str(len(queue.visible())),
        "ApproximateNumberOfMessagesNotVisible": str(len(queue.in_flight())),
        "ApproximateNumberOfMessagesDelayed": str(len(queue.delayed())),
        "DelaySeconds": str(queue.delay),
        "MaximumMessageSize": str(checks.MAX_BYTES),
        "VisibilityTimeout": str(queue.visibility),
    }
    if queue.fifo:
        every["FifoQueue"] = "true"
        every["ContentBasedDeduplication"] = str(queue.content_deduplication).lower()
    if queue.dead_letter is not None:
        policy = {"deadLetterTargetArn": arn(queue.dead_letter), "maxReceiveCount": queue.max_receive_count}
        every["RedrivePolicy"] = json.dumps(policy)
    names = data.get("AttributeNames", [])
    # API_GetQueueAttributes: without names there is nothing in the answer.
    wanted = {key: value for key, value in every.items() if key in names or "All" in names}
    return {"Attributes": wanted} if wanted else {}


# Messages.


def send_message(server: StrictSQS, data: Data) -> Data:
    return _send(server.queue_of(data), data)


def send_message_batch(server: StrictSQS, data: Data) -> Data:
    queue = server.queue_of(data)
    return _batch(server, "SendMessageBatch", data, lambda entry: _send(queue, entry))


def _send(queue: Queue, data: Data) -> Data:
    checks.check_send(data, fifo=queue.fifo, by_content=queue.content_deduplication)
    message = Message(
        data["MessageBody"],
        data.get("MessageGroupId"),
        data.get("MessageDeduplicationId"),
        attributes=data.get("MessageAttributes") or {},
    )
    delay = int(data["DelaySeconds"]) if "DelaySeconds" in data else None
    sent = queue.send(message, delay)
    answer = {"MessageId": sent.message_id, "MD5OfMessageBody": md5(data["MessageBody"])}
    return {**answer, "SequenceNumber": str(uuid.uuid4().int)[:20]} if queue.fifo else answer


def receive_message(server: StrictSQS, data: Data) -> Data:
    queue = server.queue_of(data)
    count = checks.check_range("MaxNumberOfMessages", int(data.get("MaxNumberOfMessages", 1)), 1, 10)
    wait = checks.check_range("WaitTimeSeconds", int(data.get("WaitTimeSeconds", 0)), 0, 20)
    visibility = data.get("VisibilityTimeout")
    if visibility is not None:
        visibility = checks.check_range("VisibilityTimeout", int(visibility), 0, checks.TWELVE_HOURS)
    attempt = data.get("ReceiveRequestAttemptId")
    if attempt is not None and not queue.fifo:
        # API_ReceiveMessage: this parameter applies only to FIFO queues.
        raise checks.bad_value("ReceiveRequestAttemptId is not valid for this queue type.")
    deadline = time.monotonic() + wait
    while not (taken := queue.take(count, visibility, attempt)):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        # API_ReceiveMessage, WaitTimeSeconds: it answers as soon as a message is there.
        server.changed.wait(max(0.001, min(left, queue.next_visible(0.5))))
        queue = server.queue_of(data)
    names = data.get("MessageSystemAttributeNames") or data.get("AttributeNames") or []
    own = data.get("MessageAttributeNames") or []
    # An empty answer has no Messages key (seen with boto3 1.44).
    return {"Messages": [queue.shown(message, names, own) for message in taken]} if taken else {}


def delete_message(server: StrictSQS, data: Data) -> Data:
    server.queue_of(data).delete(data["ReceiptHandle"])
    return {}


def delete_message_batch(server: StrictSQS, data: Data) -> Data:
    queue = server.queue_of(data)
    return _batch(server, "DeleteMessageBatch", data, lambda entry: queue.delete(entry["ReceiptHandle"]))


def change_message_visibility(server: StrictSQS, data: Data) -> Data:
    server.queue_of(data).change_visibility(data["ReceiptHandle"], int(data["VisibilityTimeout"]))
    return {}


def change_message_visibility_batch(server: StrictSQS, data: Data) -> Data:
    queue = server.queue_of(data)

    def change(entry: Data) -> None:
        queue.change_visibility(entry["ReceiptHandle"], int(entry["VisibilityTimeout"]))

    return _batch(server, "ChangeMessageVisibilityBatch", data, change)


def _batch(server: StrictSQS, action: str, data: Data, one: Callable[[Data], Data | None]) -> Data:
    """API_...Batch: each entry has its own result; an answer of 200 may hold failures."""
    entries = data.get("Entries") or []
    checks.check_batch(entries)
    answer: dict[str, list[Any]] = {"Successful": [], "Failed": []}
    fault = server.faults.next(action, ENTRY_KINDS)
    for position, entry in enumerate(entries):
        if fault is not None and position == 0:
            if fault.kind == "entry":
                refused = failed_entry(entry["Id"], SQSError(fault.code or "InternalError", "refused"))
                answer["Failed"].append({**refused, "SenderFault": bool(fault.code)})
            continue
        try:
            answer["Successful"].append({"Id": entry["Id"], **(one(entry) or {})})
        except SQSError as error:
            answer["Failed"].append(failed_entry(entry["Id"], error))
    return answer


ACTIONS: dict[str, Action] = {
    "ChangeMessageVisibility": change_message_visibility,
    "ChangeMessageVisibilityBatch": change_message_visibility_batch,
    "CreateQueue": create_queue,
    "DeleteMessage": delete_message,
    "DeleteMessageBatch": delete_message_batch,
    "DeleteQueue": delete_queue,
    "GetQueueAttributes": get_queue_attributes,
    "GetQueueUrl": get_queue_url,
    "ReceiveMessage": receive_message,
    "SendMessage": send_message,
    "SendMessageBatch": send_message_batch,
}
