"""A consumer's start, rehearsed: what is left of it, and what it may not touch."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest

import squids
from squids.pool.warm_up import TIMES, warm_up
from squids.process.forkable import sockets_open
from squids.queues import QueueRef


class SQS:
    """An app's SQS, whose clients note what is done with them. One client for each number of connections."""

    def __init__(self, static: bool) -> None:
        self._static = static
        self._clients: dict[int, object] = {}
        self.prepared: list[str] = []
        self.warmed_up: list[tuple[str, int]] = []

    def has_static_credentials(self) -> bool:
        return self._static

    def queue_client(self, ref: Any, *, wait_seconds: int, connections: int) -> Any:
        def prepare() -> object:
            self.prepared.append(ref.name)
            return self._clients.setdefault(connections, object())

        def warm_up(rounds: int) -> None:
            self.warmed_up.append((ref.name, rounds))

        return SimpleNamespace(prepare=prepare, warm_up=warm_up)


def app_with(*, static: bool = True) -> Any:
    return SimpleNamespace(sqs=SQS(static), queue_ref=QueueRef.parse)


def consumer(queue: str, **options: Any) -> dict[str, Any]:
    return {"app": "shop:app", "queue": queue, "workers": 2, **options}


def test_each_kind_of_client_is_warmed_up_once():
    """Consumers with the same settings share one; a second call takes other paths than the first."""
    app = app_with()
    warm_up(app, [consumer("emails"), consumer("reports"), consumer("films", prefetch=200)])
    assert app.sqs.warmed_up == [("emails", TIMES), ("films", TIMES)]
    assert TIMES > 1


def test_nobody_is_asked_for_credentials():
    """Each process does so itself, when it needs them."""
    app = app_with(static=False)
    warm_up(app, [consumer("emails")])
    assert app.sqs.prepared == app.sqs.warmed_up == []


def test_what_is_wrong_with_a_consumer_is_its_own_to_report():
    """There is no region, say: the others of its fork server are not to suffer from that."""
    warm_up(app_with(), [consumer("no queue's name")])
    warm_up(app_with(), [{"queue": "emails"}])


def test_nothing_is_left_that_may_not_cross_a_fork():
    """No socket, no thread, no loop; and the app's real client has called nobody."""
    app = squids.App(
        "shop", {"region_name": "eu-west-1", "aws_access_key_id": "a", "aws_secret_access_key": "b"}
    )
    before = sockets_open(), set(threading.enumerate())
    warm_up(app, [consumer("orders.fifo")])
    assert not sockets_open() - before[0]
    assert not set(threading.enumerate()) - before[1]
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()
    assert len(app.sqs._prepared) == 1
