"""A small, strict SQS: the documented rules that emulators bend, with faults on demand.

It speaks what boto3 sends (AWS JSON 1.0 over HTTP) and keeps all in memory. Each rule names the
page it comes from; API_X stands for
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_X.html and DG for the Developer Guide at
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/.
"""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TWELVE_HOURS = 43_200
NAMESPACE = "com.amazonaws.sqs#"


class SQSError(Exception):
    """An error answer: its shape, its code for older clients, the status and a text."""

    def __init__(self, shape: str, query_code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.shape, self.query_code, self.message, self.status = shape, query_code, message, status


@dataclass(eq=False)
class Message:
    """One message and its present receive."""

    body: str
    group: str | None
    message_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    sent_at: float = field(default_factory=time.time)
    visible_at: float = 0.0
    received_at: float = 0.0
    receipt: str | None = None
    receive_count: int = 0


@dataclass
class Queue:
    """A queue: its messages in order, and what became of all of them."""

    name: str
    visibility: int = 30
    max_receive_count: int | None = None
    dead_letter: Queue | None = None
    messages: list[Message] = field(default_factory=list)
    attempts: dict[str, tuple[float, list[Message]]] = field(default_factory=dict)

    @property
    def fifo(self) -> bool:
        return self.name.endswith(".fifo")

    def visible(self) -> list[Message]:
        """What a receive could bring now, but for FIFO's locks."""
        now = time.monotonic()
        return [message for message in self.messages if message.visible_at <= now]

    def in_flight(self) -> list[Message]:
        now = time.monotonic()
        return [message for message in self.messages if message.visible_at > now and message.receipt]


@dataclass(frozen=True)
class Event:
    """Something that happened to a message: `action` is the API's, `ok` whether it took effect."""

    at: float
    action: str
    queue: str
    message_id: str
    ok: bool = True
    seconds: int | None = None


@dataclass
class Fault:
    """What becomes of a call instead of its answer. `kind`: see `StrictSQS.fail`."""

    kind: str
    action: str | None
    times: int
    code: str = ""


class StrictSQS:
    """The server and its memory. Tests use it in their own process; consumers over HTTP."""

    def __init__(self) -> None:
        self.queues: dict[str, Queue] = {}
        self.calls: Counter[str] = Counter()
        self.events: list[Event] = []
        self.requests: list[tuple[float, str, dict[str, Any]]] = []
        self.latency = 0.0
        self._faults: list[Fault] = []
        self._changed = threading.Condition(threading.RLock())
        self._holds: dict[str, threading.Event] = {}
        self.held: Counter[str] = Counter()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    # For tests.

    def start(self) -> StrictSQS:
        self._thread.start()
        return self

    def close(self) -> None:
        for hold in self._holds.values():
            hold.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def url(self, name: str) -> str:
        return f"{self.endpoint_url}/123456789012/{name}"

    def create(self, name: str, *, visibility: int = 30, max_receive_count: int | None = None) -> Queue:
        """A queue, with a dead-letter queue NAME-dead if it has a `max_receive_count`."""
        with self._changed:
            queue = self.queues[name] = Queue(name, visibility, max_receive_count)
            if max_receive_count is not None:
                dead = name.removesuffix(".fifo") + "-dead" + (".fifo" if queue.fifo else "")
                queue.dead_letter = self.queues[dead] = Queue(dead)
            return queue

    def put(self, name: str, body: str, group: str | None = None) -> Message:
        """Send without HTTP."""
        with self._changed:
            message = Message(body, group)
            self.queues[name].messages.append(message)
            self._changed.notify_all()
            return message

    def fail(self, kind: str, *, action: str | None = None, times: int = 1, code: str = "") -> None:
        """Have the next `times` calls (of `action`) fail.

        `kind`: "500", "503", "throttle", "cut" (the connection is closed without an answer), "garbage",
        "expired" (credentials), "denied"; for batches "entry" (the first entry is refused) and
        "missing" (the first entry is in neither list).
        """
        with self._changed:
            self._faults.append(Fault(kind, action, times, code))

    def hold(self, action: str) -> threading.Event:
        """Keep the answers of `action` back until the event is set. They have taken effect already."""
        self._holds[action] = threading.Event()
        return self._holds[action]

    def wait_until(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        """Wait for something to be true here."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not condition():
                if time.monotonic() > deadline:
                    raise AssertionError(f"not within {seconds} s; calls so far: {dict(self.calls)}")
                self._changed.wait(0.05)

    def happened(self, action: str, message_id: str | None = None) -> list[Event]:
        return [e for e in self.events if e.action == action and message_id in (None, e.message_id)]

    # The API. Each method is an action; called with the lock held.

    def GetQueueUrl(self, data: dict[str, Any]) -> dict[str, Any]:
        self._named(data["QueueName"])
        return {"QueueUrl": self.url(data["QueueName"])}

    def CreateQueue(self, data: dict[str, Any]) -> dict[str, Any]:
        attributes = data.get("Attributes", {})
        self.create(data["QueueName"], visibility=int(attributes.get("VisibilityTimeout", 30)))
        return {"QueueUrl": self.url(data["QueueName"])}

    def DeleteQueue(self, data: dict[str, Any]) -> dict[str, Any]:
        del self.queues[self._queue(data).name]
        return {}

    def GetQueueAttributes(self, data: dict[str, Any]) -> dict[str, Any]:
        queue = self._queue(data)
        return {
            "Attributes": {
                "QueueArn": f"arn:aws:sqs:us-east-1:123456789012:{queue.name}",
                "ApproximateNumberOfMessages": str(len(queue.visible())),
                "ApproximateNumberOfMessagesNotVisible": str(len(queue.in_flight())),
                "VisibilityTimeout": str(queue.visibility),
            }
        }

    def SendMessage(self, data: dict[str, Any]) -> dict[str, Any]:
        queue = self._queue(data)
        if queue.fifo and not data.get("MessageGroupId"):
            # API_SendMessage: MessageGroupId is required for FIFO queues.
            raise SQSError("MissingParameter", "MissingParameter", "The request must contain MessageGroupId.")
        message = Message(data["MessageBody"], data.get("MessageGroupId"))
        message.visible_at = time.monotonic() + int(data.get("DelaySeconds", 0))
        queue.messages.append(message)
        self._log("SendMessage", queue, message)
        return {"MessageId": message.message_id, "MD5OfMessageBody": "0" * 32}

    def ReceiveMessage(self, data: dict[str, Any]) -> dict[str, Any]:
        queue = self._queue(data)
        count = int(data.get("MaxNumberOfMessages", 1))
        if not 1 <= count <= 10:
            raise SQSError("InvalidParameterValue", "InvalidParameterValue", "must be between 1 and 10")
        visibility = int(data.get("VisibilityTimeout", queue.visibility))
        attempt = data.get("ReceiveRequestAttemptId")
        deadline = time.monotonic() + int(data.get("WaitTimeSeconds", 0))
        while True:
            taken = self._replay(queue, attempt) or self._take(queue, count)
            left = deadline - time.monotonic()
            if taken or left <= 0:
                break
            # API_ReceiveMessage, WaitTimeSeconds: it answers as soon as a message is there.
            self._changed.wait(min(left, self._next_visible(queue)))
            queue = self._queue(data)
        for message in taken:
            # DG sqs-queue-message-identifiers: each receive gives a receipt of its own.
            message.receipt = str(uuid.uuid4())
            message.received_at = time.monotonic()
            message.visible_at = message.received_at + visibility
            message.receive_count += 1
            self._log("ReceiveMessage", queue, message, seconds=visibility)
        if attempt is not None and taken:
            queue.attempts[attempt] = (time.monotonic(), list(taken))
        names = data.get("MessageSystemAttributeNames") or data.get("AttributeNames") or []
        # An empty answer has no Messages key (seen with boto3 against SQS).
        return {"Messages": [self._shown(message, names) for message in taken]} if taken else {}

    def DeleteMessage(self, data: dict[str, Any]) -> dict[str, Any]:
        self._delete(self._queue(data), data["ReceiptHandle"])
        return {}

    def DeleteMessageBatch(self, data: dict[str, Any]) -> dict[str, Any]:
        queue = self._queue(data)
        return self._batch(
            data, "DeleteMessageBatch", lambda entry: self._delete(queue, entry["ReceiptHandle"])
        )

    def ChangeMessageVisibility(self, data: dict[str, Any]) -> dict[str, Any]:
        self._change(self._queue(data), data["ReceiptHandle"], int(data["VisibilityTimeout"]))
        return {}

    def ChangeMessageVisibilityBatch(self, data: dict[str, Any]) -> dict[str, Any]:
        queue = self._queue(data)
        return self._batch(
            data,
            "ChangeMessageVisibilityBatch",
            lambda entry: self._change(queue, entry["ReceiptHandle"], int(entry["VisibilityTimeout"])),
        )

    # Rules.

    def _take(self, queue: Queue, count: int) -> list[Message]:
        taken: list[Message] = []
        locked: set[str | None] = set()
        for message in list(queue.messages):
            if len(taken) == count:
                break
            if queue.fifo and message.group in locked:
                continue
            if message.visible_at > time.monotonic():
                # DG FIFO-queues-understanding-logic: nothing of a group while an earlier one is in flight.
                locked.add(message.group)
                continue
            limit = queue.max_receive_count
            if limit is not None and queue.dead_letter is not None and message.receive_count >= limit:
                # DG sqs-dead-letter-queues: it moves when its receive count would exceed maxReceiveCount.
                queue.messages.remove(message)
                message.receipt = None
                queue.dead_letter.messages.append(message)
                self._log("Redrive", queue, message)
                continue
            taken.append(message)
        return taken

    def _replay(self, queue: Queue, attempt: str | None) -> list[Message]:
        """API_ReceiveMessage, ReceiveRequestAttemptId: the same id gives the same messages for five minutes,
        unless one of them was deleted or its visibility changed."""
        if attempt is None or attempt not in queue.attempts:
            return []
        at, messages = queue.attempts[attempt]
        unchanged = all(
            message in queue.messages and message.visible_at > time.monotonic() for message in messages
        )
        return messages if unchanged and time.monotonic() - at < 300 else []

    def _delete(self, queue: Queue, receipt: str) -> None:
        for message in queue.messages:
            if message.receipt == receipt:
                if queue.fifo and message.visible_at <= time.monotonic():
                    # API_DeleteMessage: on FIFO queues it fails when the visibility has run out.
                    self._log("DeleteMessage", queue, message, ok=False)
                    raise _stale_receipt("The receipt handle has expired")
                queue.messages.remove(message)
                self._log("DeleteMessage", queue, message)
                self._forget_attempts(queue, message)
                return
        if queue.fifo:
            raise _stale_receipt("The receipt handle is not the newest")
        # API_DeleteMessage: an old receipt handle "succeeds", and deletes nothing.
        self.events.append(Event(time.monotonic(), "DeleteMessage", queue.name, "?", ok=False))

    def _change(self, queue: Queue, receipt: str, seconds: int) -> None:
        if not 0 <= seconds <= TWELVE_HOURS:
            raise SQSError("InvalidParameterValue", "InvalidParameterValue", f"{seconds} is out of range")
        for message in queue.messages:
            if message.receipt != receipt:
                continue
            now = time.monotonic()
            if message.visible_at <= now:
                raise SQSError(
                    "MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight", "not in flight"
                )
            if now + seconds > message.received_at + TWELVE_HOURS:
                # API_ChangeMessageVisibility: twelve hours from the receive; beyond is an error.
                raise SQSError(
                    "InvalidParameterValue",
                    "InvalidParameterValue",
                    "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]",
                )
            message.visible_at = now + seconds
            self._log("ChangeMessageVisibility", queue, message, seconds=seconds)
            self._forget_attempts(queue, message)
            return
        raise _stale_receipt("The receipt handle is not the newest")

    def _batch(
        self, data: dict[str, Any], action: str, one: Callable[[dict[str, Any]], None]
    ) -> dict[str, Any]:
        entries = data.get("Entries") or []
        ids = [entry["Id"] for entry in entries]
        # DG sqs-batch-api-actions and API_*Batch: 1 to 10 entries, ids of 80 characters, distinct.
        if not entries:
            raise SQSError("EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest", "no entries")
        if len(entries) > 10:
            raise SQSError(
                "TooManyEntriesInBatchRequest",
                "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
                "over 10",
            )
        if len(set(ids)) < len(ids):
            raise SQSError(
                "BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct", "not distinct"
            )
        if not all(re.fullmatch(r"[A-Za-z0-9_-]{1,80}", entry_id) for entry_id in ids):
            raise SQSError("InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId", "bad id")
        answer: dict[str, Any] = {"Successful": [], "Failed": []}
        refused = self._fault(action, {"entry", "missing"})
        for position, entry in enumerate(entries):
            if refused is not None and position == 0:
                if refused.kind == "entry":
                    code = refused.code or "InternalError"
                    answer["Failed"].append(
                        {"Id": entry["Id"], "Code": code, "Message": "refused", "SenderFault": False}
                    )
                continue
            try:
                one(entry)
            except SQSError as error:
                answer["Failed"].append(
                    {
                        "Id": entry["Id"],
                        "Code": error.query_code.rpartition(".")[2],
                        "Message": error.message,
                        "SenderFault": True,
                    }
                )
            else:
                answer["Successful"].append({"Id": entry["Id"]})
        return answer

    # Helpers.

    def _named(self, name: str) -> Queue:
        try:
            return self.queues[name]
        except KeyError:
            raise SQSError(
                "QueueDoesNotExist",
                "AWS.SimpleQueueService.NonExistentQueue",
                "The specified queue does not exist.",
            ) from None

    def _queue(self, data: dict[str, Any]) -> Queue:
        return self._named(data["QueueUrl"].rsplit("/", 1)[1])

    def _next_visible(self, queue: Queue) -> float:
        now = time.monotonic()
        waits = [message.visible_at - now for message in queue.messages if message.visible_at > now]
        return max(0.001, min([0.5, *waits]))

    def _forget_attempts(self, queue: Queue, message: Message) -> None:
        for attempt, (_, messages) in list(queue.attempts.items()):
            if message in messages:
                del queue.attempts[attempt]

    def _shown(self, message: Message, names: list[str]) -> dict[str, Any]:
        attributes = {
            "ApproximateReceiveCount": str(message.receive_count),
            "SentTimestamp": str(int(message.sent_at * 1000)),
        }
        if message.group is not None:
            attributes["MessageGroupId"] = message.group
        if "All" not in names:
            attributes = {key: value for key, value in attributes.items() if key in names}
        return {
            "MessageId": message.message_id,
            "ReceiptHandle": message.receipt,
            "Body": message.body,
            "MD5OfBody": "0" * 32,
            "Attributes": attributes,
        }

    def _log(
        self, action: str, queue: Queue, message: Message, *, ok: bool = True, seconds: int | None = None
    ) -> None:
        self.events.append(Event(time.monotonic(), action, queue.name, message.message_id, ok, seconds))
        self._changed.notify_all()

    def _fault(self, action: str, kinds: set[str] | None = None) -> Fault | None:
        for fault in self._faults:
            batch_fault = fault.kind in ("entry", "missing")
            wanted = fault.kind in kinds if kinds is not None else not batch_fault
            if wanted and fault.action in (None, action):
                fault.times -= 1
                if fault.times == 0:
                    self._faults.remove(fault)
                return fault
        return None

    # HTTP.

    def answer(self, action: str, data: dict[str, Any]) -> tuple[int, dict[str, str], bytes] | None:
        """The answer to a call: status, headers, body; None to cut the connection."""
        if self.latency:
            time.sleep(self.latency)
        with self._changed:
            self.calls[action] += 1
            self.requests.append((time.monotonic(), action, data))
            self._changed.notify_all()
            fault = self._fault(action)
            if fault is not None:
                return _faulty(fault)
            try:
                method = getattr(self, action, None)
                if method is None:
                    raise SQSError("InvalidAction", "InvalidAction", f"no action {action}")
                answer = 200, {}, json.dumps(method(data)).encode()
            except SQSError as error:
                answer = _error(error)
        hold = self._holds.get(action)
        if hold is not None and not hold.is_set():
            self.held[action] += 1
            with self._changed:
                self._changed.notify_all()
            hold.wait()
        return answer

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                data = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                answer = server.answer(self.headers["X-Amz-Target"].partition(".")[2], data)
                if answer is None:
                    self.close_connection = True
                    return
                status, headers, body = answer
                try:
                    self.send_response(status)
                    for name, value in headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Type", "application/x-amz-json-1.0")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    self.close_connection = True  # The client is gone; what the call did is done.

            def log_message(self, *args: object) -> None:
                pass

        return Handler


def _stale_receipt(text: str) -> SQSError:
    return SQSError("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid", text)


def _error(error: SQSError) -> tuple[int, dict[str, str], bytes]:
    body = json.dumps({"__type": NAMESPACE + error.shape, "message": error.message}).encode()
    return error.status, {"x-amzn-query-error": f"{error.query_code};Sender"}, body


def _faulty(fault: Fault) -> tuple[int, dict[str, str], bytes] | None:
    match fault.kind:
        case "cut":
            return None
        case "garbage":
            return 200, {}, b"<html>not what you asked for</html>"
        case "throttle":
            return _error(SQSError("RequestThrottled", "RequestThrottled", "Request is throttled."))
        case "expired":
            return _error(SQSError("ExpiredToken", "ExpiredToken", "The security token has expired", 403))
        case "denied":
            return _error(SQSError("AccessDenied", "AccessDenied", "Access is denied.", 403))
        case "500" | "503":
            return int(fault.kind), {}, b"Service Unavailable"
    raise ValueError(f"no such fault: {fault.kind}")
