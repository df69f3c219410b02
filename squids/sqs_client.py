"""The calls of a consumer to its queue, over boto3, and what they read.

Besides `testing`, only the modules named `sqs...` import boto3 or botocore, at first use.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from squids.delivery import Delivery
from squids.queues import QueueRef
from squids.sqs_answers import BatchAnswer, read_attributes, read_batch, read_messages, read_url

if TYPE_CHECKING:
    from botocore.config import Config

    from squids.sqs import SQS

READ_MARGIN = 10
"""Seconds that a response may take beyond the requested wait."""

CONNECT_TIMEOUT = 5


class QueueStats(dict[str, Any]):
    """The attributes of a queue from GetQueueAttributes, numbers as `int`, and its `queue_name`."""

    def __init__(self, queue_name: str, attributes: Mapping[str, str]) -> None:
        super().__init__({key: int(text) if text.isdigit() else text for key, text in attributes.items()})
        self.queue_name = queue_name


class QueueClient:
    """The calls of a consumer to its queue. Thread-safe; it never retries.

    Its calls are lean: no validation of our own parameters, and a fixed user agent, which botocore would
    otherwise build for each request.
    """

    def __init__(self, sqs: SQS, ref: QueueRef, wait_seconds: int, connections: int) -> None:
        self._sqs = sqs
        self._ref = ref
        self._wait_seconds = wait_seconds
        self._connections = connections
        self._lock = threading.Lock()
        self._made: Any = None
        self._url = ref.url

    def receive(
        self, max_messages: int, wait_seconds: int, visibility_timeout: int, attempt_id: str | None
    ) -> list[Delivery]:
        """Receive up to `max_messages` messages; wait up to `wait_seconds` for the first one."""
        client, url = self._client()
        arguments: dict[str, Any] = {
            "QueueUrl": url,
            "MaxNumberOfMessages": max_messages,
            "WaitTimeSeconds": wait_seconds,
            "VisibilityTimeout": visibility_timeout,
            "MessageSystemAttributeNames": RECEIVE_ATTRIBUTES_FIFO
            if self._ref.is_fifo
            else RECEIVE_ATTRIBUTES,
        }
        if attempt_id is not None:
            arguments["ReceiveRequestAttemptId"] = attempt_id
        return read_messages(client.receive_message(**arguments))

    def delete(self, entries: Sequence[tuple[str, str]]) -> BatchAnswer:
        """Delete up to ten messages, given as pairs of message id and receipt."""
        client, url = self._client()
        batch = [{"Id": str(number), "ReceiptHandle": entry[1]} for number, entry in enumerate(entries)]
        answer = client.delete_message_batch(QueueUrl=url, Entries=batch)
        return read_batch(answer, [entry[0] for entry in entries])

    def change_visibility(self, entries: Sequence[tuple[str, str, int]]) -> BatchAnswer:
        """Set the visibility of up to ten messages: message id, receipt, seconds from now."""
        client, url = self._client()
        batch = [
            {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
            for number, (_, receipt, seconds) in enumerate(entries)
        ]
        answer = client.change_message_visibility_batch(QueueUrl=url, Entries=batch)
        return read_batch(answer, [entry[0] for entry in entries])

    def attributes(self) -> QueueStats:
        """Return all attributes of the queue."""
        client, url = self._client()
        answer = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        return QueueStats(self._ref.name, read_attributes(answer))

    def renew(self) -> None:
        """Look up credentials again for the next call."""
        with self._lock:
            self._sqs.unprepare()
            self._made = None
            self._url = self._ref.url

    def prepare(self) -> Any:
        """Make the client now and return it. Needs no network if the credentials are static."""
        with self._lock:
            if self._made is None:
                self._made = self._sqs.prepared(self._ref, self._wait_seconds, self._connections)
            return self._made

    def warm_up(self, rounds: int = 1) -> None:
        """Go through each call `rounds` times without a network.

        This makes what botocore makes lazily, so that forked processes share it.
        """
        from squids.sqs_warm_up import without_network

        client = self.prepare()
        url, self._url = self._url, self._url or "https://sqs.invalid/0/warm-up"
        try:
            with without_network(client):
                for _ in range(rounds):
                    client.get_queue_url(QueueName="warm-up")
                    self.receive(1, 0, 1, None)
                    self.delete([("0", "none")])
                    self.change_visibility([("0", "none", 0)])
        finally:
            self._url = url

    def _client(self) -> tuple[Any, str]:
        client, url = self._made, self._url
        if client is None or url is None:
            self.prepare()
            with self._lock:
                client = self._made
                url = self._url = self._url or fetch_queue_url(client, self._ref)
        return client, url


def lean_config(wait_seconds: int, connections: int) -> Config:
    """Config of a consumer's calls: no parameter validation, a fixed user agent, no retries by botocore."""
    import botocore
    from botocore.config import Config

    return Config(
        user_agent=f"squids Botocore/{botocore.__version__}",
        parameter_validation=False,
        retries={"total_max_attempts": 1, "mode": "standard"},
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=wait_seconds + READ_MARGIN,
        max_pool_connections=connections,
        tcp_keepalive=True,
    )


RECEIVE_ATTRIBUTES = ["ApproximateReceiveCount", "SentTimestamp"]
RECEIVE_ATTRIBUTES_FIFO = [*RECEIVE_ATTRIBUTES, "MessageGroupId"]


def fetch_queue_url(client: Any, ref: QueueRef) -> str:
    """Ask SQS for a queue's URL."""
    arguments = {"QueueName": ref.name}
    if ref.account:
        arguments["QueueOwnerAWSAccountId"] = ref.account
    return read_url(client.get_queue_url(**arguments))
