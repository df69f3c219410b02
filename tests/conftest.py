"""Fixtures in the words of the domain."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import boto3
import pytest
from hypothesis import HealthCheck, settings

from tests.support import servers
from tests.support.processes import APP, SquidsProcess
from tests.support.servers import CREDENTIALS
from tests.support.strict_sqs import StrictSQS

# What a shell starts in the background, or nohup, ignores these, and so would all processes that tests start and signal.
for _number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)


os.umask(0o022)  # Root takes no file that others can write to, and tests run as root, too.


# How fast an example runs says more about what else the machine does than about the code.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """Moto's SQS server."""
    with servers.moto() as url:
        yield url


@pytest.fixture(scope="session")
def fauxqs_url() -> Iterator[str]:
    """fauxqs, the second opinion."""
    with servers.fauxqs() as url:
        yield url


@pytest.fixture
def fauxqs(fauxqs_url: str) -> Iterator[Any]:
    """A boto3 client of fauxqs; its queues are made with `create_queue`."""
    with closing(servers.client(fauxqs_url)) as client:
        yield client


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
def no_aws_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the person's own: no profile, no region, no credentials."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def aws_environment(
    monkeypatch: pytest.MonkeyPatch, no_aws_environment: None, sqs_endpoint: str
) -> dict[str, str]:
    """The usual AWS environment, pointing at the test server."""
    environment = {**CREDENTIALS, "AWS_ENDPOINT_URL_SQS": sqs_endpoint}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return environment


@pytest.fixture
def sqs_client(aws_environment: dict[str, str]) -> Iterator[Any]:
    """A boto3 client of the test server."""
    with closing(boto3.client("sqs")) as client:
        yield client


@pytest.fixture
def new_queue(sqs_client: Any) -> Callable[..., tuple[str, str]]:
    """Make a queue: its name and URL."""

    def make(name: str | None = None, **attributes: Any) -> tuple[str, str]:
        name = name or f"q-{uuid.uuid4().hex[:12]}"
        values = {key: str(value) for key, value in attributes.items()}
        if name.endswith(".fifo"):
            values["FifoQueue"] = "true"
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


QUICK = ("house", "typing", "unit")
"""Rooms whose tests take milliseconds: last, to fill up the processes that are done with whole systems."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: Path(item.path).relative_to(Path(__file__).parent).parts[0] in QUICK)
