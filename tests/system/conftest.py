"""System tests start whole processes, each with an AWS environment of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.processes import APP
from tests.support.servers import CREDENTIALS
from tests.support.supervisors import SupervisorProcess


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
