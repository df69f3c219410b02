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
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from squids import sqs_errors
from squids.errors import ConfigurationError
from squids.hints import did_you_mean
from squids.queues import QueueRef
from squids.sqs_answers import BatchAnswer, BatchFailure
from squids.sqs_client import (
    RECEIVE_ATTRIBUTES,
    RECEIVE_ATTRIBUTES_FIFO,
    QueueClient,
    QueueStats,
    fetch_queue_url,
    lean_config,
)
from squids.sqs_errors import Trouble, TroubleKind
from squids.sqs_mfa import refuse_to_ask

if TYPE_CHECKING:
    import boto3.session
    from botocore.config import Config

    from squids.sqs_send import Sender

T = TypeVar("T")

__all__ = [
    "RECEIVE_ATTRIBUTES",
    "RECEIVE_ATTRIBUTES_FIFO",
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

SEND_TIMEOUT = 30.0
"""Seconds that a send may take, all its tries together."""

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


class SQS:
    """An app's access to SQS. `config` takes the arguments of boto3.session.Session.resource.

    `send_timeout`: seconds that a send may take, all its tries together.
    """

    def __init__(self, config: Mapping[str, Any], send_timeout: float = SEND_TIMEOUT) -> None:
        for key in config:
            if key not in CONFIG_KEYS:
                hint = did_you_mean(key, CONFIG_KEYS, f"known keys: {', '.join(CONFIG_KEYS)}", quoted=True)
                raise TypeError(f'unknown key "{key}" in config; {hint}')
        if isinstance(send_timeout, bool) or not isinstance(send_timeout, int | float):
            raise TypeError(f"send_timeout is a number of seconds, not {send_timeout!r}")
        if not 0 < send_timeout < float("inf"):
            raise ValueError(f"send_timeout is a number of seconds above 0, not {send_timeout}")
        self.config = dict(config)
        self.send_timeout = float(send_timeout)
        self._loader: Any = None
        self._prepared: dict[tuple[str | None, str | None, int, int], Any] = {}
        self.forget()
        _transports.add(self)

    def forget(self) -> None:
        """Drop the clients and URLs: they belong to another process or endpoint."""
        self._lock = threading.RLock()
        self._clients: dict[tuple[str | None, str | None], Any] = {}
        self._senders: dict[tuple[str | None, str | None], Sender] = {}
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
        another endpoint than the local SQS, or the AWS configuration cannot be used.
        """
        self._local_arguments()
        try:
            session = self.new_session()
        except Exception as error:
            raise ConfigurationError(classify(error).text) from error
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
        return self._client_of(self.new_session(), ref, config, asks=asks)

    def _client_of(
        self,
        session: boto3.session.Session,
        ref: QueueRef | None,
        config: Config | None,
        defaults: Mapping[str, Any] | None = None,
        *,
        asks: bool = True,
    ) -> Any:
        """Make a client. `defaults`: arguments that the App's config may override."""
        from squids.sqs_bounds import bound_answers

        arguments = {**(defaults or {}), **self.config}
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
        if local := self._local_arguments():
            from botocore.config import Config

            straight = Config(proxies={})  # It is on this machine.
            users = arguments.get("config")
            arguments |= {**local, "config": users.merge(straight) if users is not None else straight}
        client = session.client("sqs", **arguments)
        if not arguments.get("aws_access_key_id"):
            refuse_to_ask(session, asks=asks)
        bound_answers(client)
        return client

    def mistake(self, ref: QueueRef) -> str | None:
        """Return what of the AWS configuration keeps a queue from being used; None if nothing is known to.

        Needs no network, and looks up no credentials. A region may be missing: often it is the machine's.
        """
        try:
            session = self.new_session()
            stand_in = {"region_name": session.region_name or LOCAL_CREDENTIALS["region_name"]}
            self._client_of(session, ref, None, {**LOCAL_CREDENTIALS, **stand_in})
        except Exception as error:
            trouble = classify(error)
            return trouble.text if trouble.kind is TroubleKind.CONFIG else None
        return None

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

    def sender(self, ref: QueueRef) -> Sender:
        """Return this process's client for sending, with its time-outs and tries. Thread-safe."""
        from squids import sqs_send

        key = (ref.region, ref.endpoint)
        sender = self._senders.get(key)
        if sender is None:
            with self._lock:
                sender = self._senders.get(key)
                if sender is None:
                    session = self.new_session()
                    config, tries = sqs_send.settings_of(session._session, self.config.get("config"))
                    client = self._client_of(session, ref, config)
                    sender = self._senders[key] = sqs_send.Sender.of(client, tries)
        return sender

    def queue_url(self, ref: QueueRef) -> str:
        """Return a queue's URL. SQS is asked once per process, and not at all if the user gave the URL."""
        if ref.url:
            return ref.url
        url = self._urls.get(ref)
        if url is None:
            url = self._urls[ref] = self._try(ref, lambda client: fetch_queue_url(client, ref))
        return url

    def send(self, ref: QueueRef, body: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Send one message, within `send_timeout`; return the response of SendMessage."""
        from squids.sqs_deadline import within

        with within(self.send_timeout):
            url = self.queue_url(ref)
            response: dict[str, Any] = self._try(
                ref, lambda client: client.send_message(QueueUrl=url, MessageBody=body, **options)
            )
        return response

    def _try(self, ref: QueueRef, call: Callable[[Any], T]) -> T:
        """Call until it is answered, for `send_timeout` at most. Raises botocore's errors, with a note."""
        from squids.sqs_deadline import within

        try:
            with within(self.send_timeout):
                return self.sender(ref).call(call)
        except Exception as error:
            trouble = classify(error)
            if trouble.kind is not TroubleKind.OTHER and not hasattr(error, "response"):
                error.add_note(f"squids: {trouble.text}")
            raise

    def queue_client(self, ref: QueueRef, *, wait_seconds: int, connections: int) -> QueueClient:
        """Return a consumer's client for one queue. The boto3 client is made at its first call."""
        return QueueClient(self, ref, wait_seconds, connections)


def classify(error: BaseException) -> Trouble:
    """Classify an exception that a call to SQS raised, with a text that names the profile in use."""
    profile = os.environ.get("AWS_PROFILE") or os.environ.get("AWS_DEFAULT_PROFILE") or ""
    return sqs_errors.classify(error, profile)


def _address(url: str) -> str:
    return url.rstrip("/").replace("//localhost", "//127.0.0.1")


def _forget_in_child() -> None:
    for transport in list(_transports):
        transport.forget()


os.register_at_fork(after_in_child=_forget_in_child)
