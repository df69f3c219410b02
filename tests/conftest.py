"""Fixtures in the words of the domain."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.support import servers
from tests.support.processes import APP, SquidsProcess
from tests.support.strict_sqs import StrictSQS

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """moto's SQS server."""
    with servers.moto() as url:
        yield url


@pytest.fixture(scope="session")
def fauxqs_url() -> Iterator[str]:
    """The second opinion."""
    with servers.fauxqs() as url:
        yield url


@pytest.fixture
def strict_sqs() -> Iterator[StrictSQS]:
    """Our strict model, new for each test."""
    server = StrictSQS().start()
    yield server
    server.close()


@pytest.fixture
def sqs_endpoint(moto_url: str) -> str:
    """The server that tests use when any will do."""
    return moto_url


@pytest.fixture
def aws_environment(monkeypatch: pytest.MonkeyPatch, sqs_endpoint: str) -> dict[str, str]:
    """The usual AWS environment, pointing at the test server, and nothing of the person's own."""
    import os

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    environment = {**CREDENTIALS, "AWS_ENDPOINT_URL_SQS": sqs_endpoint}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return environment


@pytest.fixture
def sqs_client(aws_environment: dict[str, str]) -> Iterator[Any]:
    """A boto3 client of the test server."""
    client = boto3.client("sqs")
    yield client
    client.close()


@pytest.fixture
def new_queue(sqs_client: Any) -> Callable[..., tuple[str, str]]:
    """Make a queue: its name and URL."""

    def make(name: str | None = None, **attributes: Any) -> tuple[str, str]:
        name = name or f"q-{uuid.uuid4().hex[:12]}"
        values = {key: str(value) for key, value in attributes.items()}
        return name, sqs_client.create_queue(QueueName=name, Attributes=values)["QueueUrl"]

    return make


@pytest.fixture
def squids_process(tmp_path: Path) -> Iterator[Callable[..., SquidsProcess]]:
    """Make a `squids` that talks to an endpoint; it is ended after the test."""
    made: list[SquidsProcess] = []

    def make(endpoint: str, app: str = APP, **environment: str) -> SquidsProcess:
        directory = tmp_path / f"run{len(made)}"
        directory.mkdir()
        settings = {**CREDENTIALS, "AWS_ENDPOINT_URL_SQS": endpoint, **environment}
        made.append(SquidsProcess(directory, settings, app))
        return made[-1]

    yield make
    for process in made:
        process.close()
