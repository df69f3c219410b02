"""A consumer's queue in a local SQS, whose name only the app knows."""

from __future__ import annotations

import json
from typing import Any

import pytest

import squids
from squids.pool.local_queue import create_if_renamed
from squids.queue_names import PREFIX
from squids.sqs import LOCAL


class Client:
    """Notes what is created."""

    def __init__(self) -> None:
        self.created: dict[str, dict[str, str]] = {}

    def create_queue(self, *, QueueName: str, Attributes: dict[str, str]) -> dict[str, str]:
        self.created[QueueName] = Attributes
        return {"QueueUrl": f"http://127.0.0.1:1/{QueueName}"}

    def get_queue_attributes(self, *, QueueUrl: str, AttributeNames: list[str]) -> dict[str, Any]:
        return {"Attributes": {"QueueArn": f"arn:{QueueUrl.rpartition('/')[2]}"}}


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Client:
    client = Client()
    monkeypatch.setattr(squids.sqs.SQS, "client", lambda self, ref: client)
    monkeypatch.setenv(LOCAL, "http://127.0.0.1:1")
    return client


@pytest.mark.parametrize(
    ("queue", "name", "dead"),
    [
        ("emails", "staging-emails", "staging-emails-dead"),
        ("orders.fifo", "staging-orders.fifo", "staging-orders-dead.fifo"),
    ],
)
def test_it_is_created_with_a_dead_letter_queue(client: Client, queue: str, name: str, dead: str) -> None:
    create_if_renamed(squids.App("shop", queue_prefix="staging-"), queue)
    assert list(client.created) == [dead, name]
    assert json.loads(client.created[name]["RedrivePolicy"])["deadLetterTargetArn"] == f"arn:{dead}"
    assert {attributes.get("FifoQueue") for attributes in client.created.values()} == {
        "true" if name.endswith(".fifo") else None
    }


def test_what_the_command_has_created_is_not_created_again(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_if_renamed(squids.App("shop"), "emails")
    monkeypatch.setenv(PREFIX, "staging-")
    create_if_renamed(squids.App("shop"), "emails")
    create_if_renamed(squids.App("shop", queue_prefix="staging-"), "emails")
    assert client.created == {}


def test_nothing_is_created_in_another_sqs(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LOCAL)
    create_if_renamed(squids.App("shop", queue_prefix="staging-"), "emails")
    assert client.created == {}
