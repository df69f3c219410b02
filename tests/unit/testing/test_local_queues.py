"""The queues of one test, with a stub in the place of the local SQS's process."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

import squids
from squids.testing import local_queues
from squids.testing.local_queues import LocalQueues


class Server:
    """Queues by name, with what each answers of its messages."""

    url = "http://127.0.0.1:4566"

    def __init__(self) -> None:
        self.environment = {"AWS_ENDPOINT_URL_SQS": self.url}
        self.queues: dict[str, dict[str, str]] = {}

    def create(self, queues: Iterable[str]) -> None:
        for queue in queues:
            self.queues[queue] = {}

    def call(self, action: str, arguments: dict[str, Any]) -> dict[str, Any]:
        name = arguments.get("QueueUrl", "").removeprefix(f"{self.url}/123456789012/")
        match action:
            case "ListQueues":
                urls = [f"{self.url}/123456789012/{queue}" for queue in self.queues]
                return {"QueueUrls": urls} if urls else {}
            case "DeleteQueue":
                del self.queues[name]
                return {}
            case _:
                return {"Attributes": {key: self.queues[name][key] for key in arguments["AttributeNames"]}}


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> squids.App:
    """The only one of the process."""
    app = squids.App("shop")

    @app.task("emails")
    def email() -> None: ...

    @app.task("reports")
    def report() -> None: ...

    monkeypatch.setattr(local_queues, "living", [app])
    return app


def test_a_test_begins_with_the_queues_of_all_tasks_and_leaves_none(server: Server, app: squids.App) -> None:
    queues = LocalQueues(server)
    queues.begin()
    assert sorted(server.queues) == ["emails", "reports"]
    queues.create("more")
    queues.end()
    assert server.queues == {}
    queues.end()
    assert (queues.url, queues.environment) == (server.url, server.environment)


def test_clients_of_another_server_are_forgotten_before_and_after(
    server: Server, app: squids.App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have its address, and an app lives as long as the process."""
    forgotten: list[int] = []
    monkeypatch.setattr(type(app.sqs), "forget", lambda self: forgotten.append(len(server.queues)))
    queues = LocalQueues(server)
    queues.begin()
    queues.end()
    assert forgotten == [0, 0]


def test_messages_are_those_that_are_there_wait_or_are_in_flight(server: Server) -> None:
    name = "ApproximateNumberOfMessages"
    server.queues["emails"] = {name: "1", f"{name}Delayed": "20", f"{name}NotVisible": "300"}
    queues = LocalQueues(server)
    assert queues.messages("emails") == 321
    assert queues.messages("https://sqs.eu-west-1.amazonaws.com/1/emails") == 321


class Consumer:
    """One of a queue: what each of its receives brings, as (received, done)."""

    def __init__(self, *receives: tuple[int, int]) -> None:
        self.receives = list(receives)

    def consume(self, options: dict[str, Any]) -> Any:
        received, done = self.receives.pop(0) if self.receives else (0, 0)
        return type("Result", (), {"received": received, "done": done})


def test_a_drain_goes_on_until_no_queue_has_anything(
    server: Server, app: squids.App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task of one queue may send to another, and what failed was received, too."""
    consumers = {"emails": Consumer((2, 2), (0, 0), (1, 0), (1, 1)), "reports": Consumer((0, 0), (3, 3))}
    monkeypatch.setattr(app, "create_consumer", lambda queue: consumers[queue])
    assert LocalQueues(server).drain(app) == 6
    assert not consumers["emails"].receives
