"""System tests start whole processes, each with an AWS environment of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.processes import APP, MARKER, SquidsProcess
from tests.support.servers import CREDENTIALS
from tests.support.supervisors import SupervisorProcess
from tests.support.terminals import Terminal
from tests.support.zygotes import Method, OwnedZygote


@pytest.fixture(autouse=True)
def _no_aws_environment(no_aws_environment: None) -> None:
    """What a test does not give to a process is not there."""


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Callable[..., SupervisorProcess]]:
    """Make a supervisor that talks to an endpoint; it is ended after the test."""
    made: list[SupervisorProcess] = []

    def make(endpoint: str, app: str = APP, **environment: str) -> SupervisorProcess:
        directory = tmp_path / f"s{len(made)}"
        directory.mkdir()
        settings = {**CREDENTIALS, "AWS_ENDPOINT_URL_SQS": endpoint, **environment}
        made.append(SupervisorProcess(directory, settings, app))
        return made[-1]

    yield make
    for process in made:
        process.close()


@pytest.fixture(params=list(Method), ids=lambda method: method.value)
def method(request: pytest.FixtureRequest) -> Method:
    """Each way in which the fork server starts children."""
    return request.param


@pytest.fixture
def zygote(method: Method) -> Iterator[OwnedZygote]:
    """A fork server that the test owns, by each method."""
    with OwnedZygote(method) as made:
        yield made


@pytest.fixture
def forking() -> Iterator[OwnedZygote]:
    """One for what does not depend on how children start."""
    with OwnedZygote(Method.FORK) as made:
        yield made


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    """Run a command in a terminal of its own, with the directory and the environment of a process."""
    opened: list[Terminal] = []

    def start(process: SquidsProcess, *command: str) -> Terminal:
        environment = {**process.environment, MARKER: process._marker}
        opened.append(Terminal(command, process.directory, environment))
        return opened[-1]

    yield start
    for one in opened:
        one.kill()
