"""SQS over boto3, which is imported at first use.

Besides `testing`, only this module, `sqs_bounds` and `sqs_warm_up` import boto3 or botocore. A client belongs
to the process that made it; after a fork, the next use makes a new one. Processes share the loader with the
service model, which holds no connection and no lock.
"""

from __future__ import annotations

import os
import socket
import threading
import weakref
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from squids.delivery import Delivery
from squids.errors import ConfigurationError
from squids.hints import did_you_mean
from squids.queues import QueueRef
from squids.sqs_answers import (
    BatchAnswer,
    BatchFailure,
    read_attributes,
    read_batch,
    read_messages,
    read_url,
)
from squids.sqs_errors import Trouble, TroubleKind, classify
from squids.sqs_mfa import refuse_to_ask

if TYPE_CHECKING:
    import boto3.session
    from botocore.config import Config

__all__ = [
    "SQS",
    "BatchAnswer",
    "BatchFailure",
    "QueueClient",
    "QueueStats",
    "Trouble",
    "TroubleKind",
    "classify",
]

CONFIG_KEYS = (
    "region_name",
    "api_version",
    "use_ssl",
    "verify",
    "endpoint_url",
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
    "config",
)
"""The arguments of boto3.session.Session.resource, except the service's name.
https://docs.aws.amazon.com/boto3/latest/reference/core/session.html#boto3.session.Session.resource
"""

READ_MARGIN = 10
"""Seconds that a response may take beyond the requested wait."""

CONNECT_TIMEOUT = 5

LOCAL = "SQUIDS_LOCAL"
"""The environment variable with the endpoint of a local SQS. While it is set, no other is called."""

LOCAL_CREDENTIALS = {
    "region_name": "eu-west-1",
    "aws_access_key_id": "local",
    "aws_secret_access_key": "local",
}
"""Any values suit a local SQS, but a queue exists in one region only."""

LOCAL_RECEIVES = 5
"""How often a message of a local SQS is received before it moves to its dead-letter queue."""

_transports: weakref.WeakSet[SQS] = weakref.WeakSet()


class QueueStats(dict[str, Any]):
    """The attributes of a queue from GetQueueAttributes, numbers as `int`, and its `queue_name`."""

    def __init__(self, queue_name: str, attributes: Mapping[str, str]) -> None:
        super().__init__({key: int(text) if text.isdigit() else text for key, text in attributes.items()})
        self.queue_name = queue_name


class SQS:
    """An app's access to SQS. `config` takes the arguments of boto3.session.Session.resource."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        for key in config:
            if key not in CONFIG_KEYS:
                hint = did_you_mean(key, CONFIG_KEYS, f"known keys: {', '.join(CONFIG_KEYS)}", quoted=True)
                raise TypeError(f'unknown key "{key}" in config; {hint}')
        self.config = dict(config)
        self._loader: Any = None
        self._prepared: dict[tuple[str | None, str | None, int, int], Any] = {}
        self.forget()
        _transports.add(self)

    def forget(self) -> None:
        """Drop the clients and URLs: they belong to another process or endpoint."""
        self._lock = threading.RLock()
        self._clients: dict[tuple[str | None, str | None], Any] = {}
        self._urls: dict[QueueRef, str] = {}

    def has_static_credentials(self) -> bool:
        """Whether the config or the environment has credentials, so that making a client looks up none."""
        if os.environ.get(LOCAL):
            return True
        if self.config.get("aws_access_key_id") and self.config.get("aws_secret_access_key"):
            return True
        named = os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE")
        return not named and all(
            os.environ.get(f"AWS_{key}") for key in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY")
        )

    def warm(self) -> None:
        """Import boto3 and load SQS's service model, to be shared by forked processes.

        Opens no connection and resolves no credentials. Raises ConfigurationError if the app's config names
        another endpoint than the local SQS.
        """
        self._local_arguments()
        session = self.new_session()
        model = session._session.get_service_model("sqs")
        self._loader.load_service_model("sqs", "endpoint-rule-set-1")
        self._loader.load_data("endpoints")
        self._loader.load_data("partitions")
        self._loader.load_data("sdk-default-configuration")
        model.operation_model("ReceiveMessage")
        # The first name lookup imports a codec; import it here instead of in each process.
        socket.getaddrinfo("127.0.0.1", 80)

    def prepared(self, ref: QueueRef, wait_seconds: int, connections: int) -> Any:
        """Return a consumer's client: the one that was made before the fork, or a new one.

        Each process may use its copy of a client that has made no call: it holds no connection.
        """
        key = (ref.region, ref.endpoint, wait_seconds, connections)
        with self._lock:
            client = self._prepared.get(key)
            if client is None:
                config = lean_config(wait_seconds, connections)
                client = self._prepared[key] = self.new_client(ref, config, asks=False)
        return client

    def unprepare(self) -> None:
        """Make new clients from now on, which look up credentials again."""
        with self._lock:
            self._prepared.clear()

    def new_session(self) -> boto3.session.Session:
        """Return a new session with the shared loader."""
        import boto3.session
        import botocore.session

        core = botocore.session.Session()
        if self._loader is None:
            self._loader = core.get_component("data_loader")
        else:
            core.register_component("data_loader", self._loader)
        return boto3.session.Session(botocore_session=core)

    def new_client(self, ref: QueueRef | None, config: Config | None = None, *, asks: bool = True) -> Any:
        """Make a client for a queue's region and endpoint; `config` overrides the user's Config.

        `asks`: botocore may ask a person for an MFA code, if there is a terminal. Raises MfaCodeNeeded if it
        would have to and cannot.
        """
        from squids.sqs_bounds import bound_answers

        arguments = dict(self.config)
        if config is not None:
            users: Config | None = arguments.get("config")
            arguments["config"] = users.merge(config) if users is not None else config
        if ref is not None:
            if ref.region:
                arguments["region_name"] = ref.region
            named = arguments.get("endpoint_url") or any(
                os.environ.get(name) for name in ("AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL")
            )
            if ref.endpoint and not named:
                arguments["endpoint_url"] = ref.endpoint
        arguments.update(self._local_arguments())
        session = self.new_session()
        client = session.client("sqs", **arguments)
        if not arguments.get("aws_access_key_id"):
            refuse_to_ask(session, asks=asks)
        bound_answers(client)
        return client

    def _local_arguments(self) -> dict[str, Any]:
        """Return the client arguments for a local SQS, empty if there is none.

        Raises ConfigurationError if the app's config names another endpoint.
        """
        local = os.environ.get(LOCAL)
        if not local:
            return {}
        named = self.config.get("endpoint_url")
        if named is not None and _address(named) != _address(local):
            raise ConfigurationError(
                f"the App's config has endpoint_url {named}, but only the local SQS at {local} may be spoken "
                f"to ({LOCAL}, set by --local): remove endpoint_url from the config, or do not pass --local"
            )
        return {**LOCAL_CREDENTIALS, "endpoint_url": local, "aws_session_token": None}

    def client(self, ref: QueueRef | None = None) -> Any:
        """Return this process's client for a queue's region and endpoint. Thread-safe."""
        key = (ref.region, ref.endpoint) if ref is not None else (None, None)
        client = self._clients.get(key)
        if client is None:
            with self._lock:
                client = self._clients.get(key)
                if client is None:
                    client = self._clients[key] = self.new_client(ref)
        return client

    def queue_url(self, ref: QueueRef) -> str:
        """Return a queue's URL. SQS is asked once per process, and not at all if the user gave the URL."""
        if ref.url:
            return ref.url
        url = self._urls.get(ref)
        if url is None:
            url = self._urls[ref] = fetch_queue_url(self.client(ref), ref)
        return url

    def send(self, ref: QueueRef, body: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Send one message; return the response of SendMessage."""
        response: dict[str, Any] = self.client(ref).send_message(
            QueueUrl=self.queue_url(ref), MessageBody=body, **options
        )
        return response

    def queue_client(self, ref: QueueRef, *, wait_seconds: int, connections: int) -> QueueClient:
        """Return a consumer's client for one queue. The boto3 client is made at its first call."""
        return QueueClient(self, ref, wait_seconds, connections)


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


def _address(url: str) -> str:
    return url.rstrip("/").replace("//localhost", "//127.0.0.1")


def _forget_in_child() -> None:
    for transport in list(_transports):
        transport.forget()


os.register_at_fork(after_in_child=_forget_in_child)
