"""A client's calls, answered by this very process."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from squids import sqs_warm_up
from squids.process.forkable import sockets_open
from squids.sqs_warm_up import without_network


@pytest.fixture
def nobody() -> Iterator[socket.socket]:
    """A server to which nobody must connect."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


@pytest.fixture
def client(nobody) -> Iterator[Any]:
    """A client of that server."""
    with closing(
        boto3.client(
            "sqs",
            endpoint_url=f"http://127.0.0.1:{nobody.getsockname()[1]}",
            region_name="eu-west-1",
            aws_access_key_id="none",
            aws_secret_access_key="none",
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=1, read_timeout=1),
        )
    ) as made:
        yield made


@pytest.fixture
def connections(monkeypatch) -> list[Any]:
    """Those that are made meanwhile."""
    made: list[Any] = []
    real = sqs_warm_up._Connection._new_conn

    def new_conn(connection: Any) -> Any:
        made.append(connection)
        return real(connection)

    monkeypatch.setattr(sqs_warm_up._Connection, "_new_conn", new_conn)
    return made


def test_its_calls_are_answered_and_nothing_leaves_this_process(nobody, client, connections):
    """Over one connection: the second call takes the paths of one that is open."""
    before = sockets_open()
    with without_network(client):
        for _ in range(2):
            answer = client.receive_message(QueueUrl="https://sqs.invalid/0/warm-up")
            assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
            assert "Messages" not in answer
    with pytest.raises(BlockingIOError):
        nobody.accept()
    assert len(connections) == 1
    assert not sockets_open() - before, "no socket may cross a fork"


def test_where_the_connection_cannot_be_ours_the_answer_comes_before_it(nobody, client, monkeypatch):
    """Another urllib3 makes its connections in another way: then the warm-up is shorter."""
    monkeypatch.setattr(sqs_warm_up, "_Pool", None)
    with without_network(client):
        assert client.get_queue_url(QueueName="warm-up")["ResponseMetadata"]["HTTPStatusCode"] == 200
    with pytest.raises(BlockingIOError):
        nobody.accept()


def test_afterwards_its_calls_are_real_again(nobody, client):
    """Also after a rehearsal that failed."""
    with pytest.raises(ZeroDivisionError), without_network(client):
        raise ZeroDivisionError
    nobody.close()
    with pytest.raises(BotoCoreError):
        client.get_queue_url(QueueName="real")
