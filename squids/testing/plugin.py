"""The pytest plugin: fixtures to test code that sends tasks. pytest finds it by its entry point."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from squids.testing.local_queues import LocalQueues
    from squids.testing.local_sqs import LocalSQS
    from squids.testing.outbox import Outbox


@pytest.fixture
def squids_outbox() -> Iterator[Outbox]:
    """Records the messages that apps send; `run_all` and `run_due` run them."""
    from squids.testing.outbox import outbox

    with outbox() as box:
        yield box


@pytest.fixture(scope="session")
def _squids_local_server() -> Iterator[LocalSQS]:
    from squids.testing.local_sqs import LocalSQS, LocalSQSFailed

    try:
        server = LocalSQS.start()
    except LocalSQSFailed as error:
        pytest.fail(str(error), pytrace=False)
    yield server
    server.stop()


@pytest.fixture
def squids_local(_squids_local_server: LocalSQS, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalQueues]:
    """A local SQS, shared by the session, with fresh queues of all apps' tasks for each test."""
    from squids.testing.local_queues import LocalQueues

    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in _squids_local_server.environment.items():
        monkeypatch.setenv(name, value)
    queues = LocalQueues(_squids_local_server)
    queues.begin()
    yield queues
    queues.end()
