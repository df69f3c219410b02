"""Calls for one queue: what each asks of the client, and that none waits for one of the other kind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from squids.pool.batches import Batch, Entry, Operation
from squids.pool.call_threads import Answer
from squids.pool.polls import Poll
from squids.pool.settings import Limits
from squids.pool.sqs_calls import SqsCalls, patience
from squids.sqs_answers import BatchAnswer

LIMITS = Limits(1, 2, 60, 30.0, wait=7)
DELETE = Batch(Operation.DELETE, (Entry("m1", "r1"), Entry("m2", "r2")))


class Client:
    """A queue's client that notes what it is asked for. A receive waits until it may be answered."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.answers = threading.Event()
        self.inside = threading.Semaphore(0)
        self.error: Exception | None = None
        self.renewed = 0

    def receive(self, *asked: Any) -> list[Any]:
        self.calls.append(("receive", *asked))
        self.inside.release()
        assert self.answers.wait(60)
        return self._answer([])

    def delete(self, entries: Any) -> BatchAnswer:
        self.calls.append(("delete", entries))
        return self._answer(BatchAnswer([entry[0] for entry in entries], []))

    def change_visibility(self, entries: Any) -> BatchAnswer:
        self.calls.append(("change", entries))
        return self._answer(BatchAnswer([entry[0] for entry in entries], []))

    def renew(self) -> None:
        self.renewed += 1

    def _answer(self, value: Any) -> Any:
        if self.error is not None:
            raise self.error
        return value


class Desk:
    """The calls under test, and the answers that came, each with what it is for."""

    def __init__(self, client: Client, receives: int) -> None:
        self.client = client
        self.calls = SqsCalls(client, LIMITS, asyncio.get_running_loop(), receives)
        self._answers: asyncio.Queue[tuple[Any, Answer[Any]]] = asyncio.Queue()

    def receive(self, number: int, *, long: bool = True, attempt: str | None = None) -> Poll:
        poll = Poll(number, 3, attempt, long)
        self.calls.receive(poll, lambda *answer: self._answers.put_nowait(answer))
        return poll

    def settle(self, batch: Batch) -> None:
        self.calls.settle(batch, lambda *answer: self._answers.put_nowait(answer))

    async def answer(self) -> tuple[Any, Answer[Any]]:
        return await asyncio.wait_for(self._answers.get(), 60)


def at_a_desk(scenario: Callable[[Desk], Coroutine[None, None, None]], receives: int = 1) -> Client:
    """Run a scenario; all threads leave after it."""
    client = Client()

    async def run() -> None:
        desk = Desk(client, receives)
        try:
            await scenario(desk)
        finally:
            client.answers.set()
            desk.calls.close()

    asyncio.run(run())
    return client


@pytest.mark.parametrize(
    ("visibility", "seconds"), [(1, 3.0), (12, 3.0), (40, 10.0), (80, 20.0), (43_080, 20.0)]
)
def test_a_call_that_hangs_leaves_time_for_a_heartbeat(visibility, seconds):
    """Two of them, one after the other, and most of the visibility is left; but no call gets too little."""
    assert patience(visibility) == seconds


@pytest.mark.parametrize(("long", "wait"), [(True, 7), (False, 0)])
def test_a_receive_asks_for_what_its_poll_says(long, wait):
    """A short poll tells soon that all is well: it waits for nothing."""

    async def scenario(desk: Desk) -> None:
        desk.client.answers.set()
        poll = desk.receive(1, long=long, attempt="a-1")
        about, answer = await desk.answer()
        assert about is poll
        assert (answer.value, answer.error) == ([], None)

    assert at_a_desk(scenario).calls == [("receive", 3, wait, 60, "a-1")]


def test_a_long_poll_delays_no_delete():
    """Else a message that is done could come to be visible again."""

    async def scenario(desk: Desk) -> None:
        poll = desk.receive(1)
        desk.settle(DELETE)
        about, answer = await desk.answer()
        assert about is DELETE
        assert answer.value == BatchAnswer(["m1", "m2"], [])
        assert desk.calls.receiving
        desk.client.answers.set()
        assert (await desk.answer())[0] is poll
        assert not desk.calls.receiving

    at_a_desk(scenario)


@pytest.mark.parametrize("operation", [Operation.RETURN, Operation.EXTEND])
def test_each_batch_becomes_the_call_that_it_is(operation):
    """A delete with receipts alone; the others with the visibility of each message."""
    batch = Batch(operation, (Entry("m1", "r1", 30), Entry("m2", "r2", 0)))

    async def scenario(desk: Desk) -> None:
        desk.settle(DELETE)
        await desk.answer()
        desk.settle(batch)
        await desk.answer()

    deleted, changed = at_a_desk(scenario).calls
    assert deleted == ("delete", [("m1", "r1"), ("m2", "r2")])
    assert changed == ("change", [("m1", "r1", 30), ("m2", "r2", 0)])


EXPIRED = ClientError({"Error": {"Code": "ExpiredToken", "Message": "it was yesterday's"}}, "any")
AWAY = EndpointConnectionError(endpoint_url="http://127.0.0.1:1")


@pytest.mark.parametrize("kind", ["receive", "settle"])
@pytest.mark.parametrize(("error", "renewed"), [(EXPIRED, 1), (AWAY, 0)], ids=["expired", "away"])
def test_expired_credentials_are_looked_up_again_for_the_next_call(kind, error, renewed):
    """The call itself has failed. Another error is no reason to ask for credentials."""

    async def scenario(desk: Desk) -> None:
        desk.client.answers.set()
        desk.client.error = error
        desk.receive(1) if kind == "receive" else desk.settle(DELETE)
        _, answer = await desk.answer()
        assert answer.error is error

    assert at_a_desk(scenario).renewed == renewed


def test_more_receives_may_be_allowed_later():
    """As a consumer that gets more workers does; until then the next waits for the first."""

    async def scenario(desk: Desk) -> None:
        desk.receive(1)
        desk.receive(2)
        assert await asyncio.to_thread(desk.client.inside.acquire, timeout=60)
        assert len(desk.client.calls) == 1
        desk.calls.allow(2)
        desk.receive(3)
        assert await asyncio.to_thread(desk.client.inside.acquire, timeout=60)
        desk.client.answers.set()
        for _ in range(3):
            await desk.answer()

    at_a_desk(scenario)
