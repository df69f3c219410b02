"""A pooled consumer in this process: a test plays its SQS, its fork server and its workers."""

from __future__ import annotations

import asyncio
import mmap
import os
import queue
import socket
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from squids.delivery import Delivery
from squids.exit_codes import ExitCode
from squids.pool.pooled_consumer import PooledConsumer
from squids.pool.settings import Limits, PoolSettings
from squids.pool.workers import Workers
from squids.process.channel import Channel
from squids.process.liveness import NoListener
from squids.process.protocol import Assign, Exited, Frame, Kill, Results, Spawn, WorkerReady
from squids.process.zygote_handle import ZygoteHandle
from squids.queues import QueueRef
from squids.retry import RetryPolicy
from squids.sqs_answers import BatchAnswer, BatchFailure
from tests.support.loops import run, until

LIMITS = Limits(workers=1, prefetch=2, visibility=60, shutdown_timeout=30.0, wait=7)


def delivery(name: str, group: str | None = None) -> Delivery:
    return Delivery(name, f"receipt of {name}", '{"task": "shop.mail"}', 1, None, group)


class Client:
    """A queue whose receives wait until the test says what they bring: messages, or an error."""

    def __init__(self) -> None:
        self.coming: queue.SimpleQueue[list[Delivery] | Exception] = queue.SimpleQueue()
        self.receives: list[tuple[Any, ...]] = []
        self.deleted: list[str] = []
        self.returned: list[tuple[str, int]] = []
        self.refusals: list[Exception | BatchFailure] = []
        """What becomes of the next deletes."""

    def receive(self, *asked: Any) -> list[Delivery]:
        self.receives.append(asked)
        answer = self.coming.get()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def delete(self, entries: Any) -> BatchAnswer:
        refusal = self.refusals.pop() if self.refusals else None
        if isinstance(refusal, Exception):
            raise refusal
        if refusal is not None:
            return BatchAnswer([], [refusal])
        self.deleted += [message_id for message_id, _ in entries]
        return BatchAnswer([message_id for message_id, _ in entries], [])

    def change_visibility(self, entries: Any) -> BatchAnswer:
        self.returned += [(message_id, seconds) for message_id, _, seconds in entries]
        return BatchAnswer([message_id for message_id, _, _ in entries], [])

    def renew(self) -> None:
        raise AssertionError("no credentials have expired")


class Worker:
    """A worker's end: what it was told."""

    def __init__(self, server: Server, child: int, descriptors: list[int]) -> None:
        self._server = server
        self.child = child
        self.channel = Channel(socket.socket(fileno=descriptors[0]))
        self.page = mmap.mmap(descriptors[1], mmap.PAGESIZE)
        os.close(descriptors[1])
        self.jobs: dict[str, int] = {}
        self.heard: list[Frame] = []
        asyncio.get_running_loop().add_reader(self.channel.fileno(), self._hear)

    def _hear(self) -> None:
        for frame in self.channel.receive():
            self.heard.append(frame)
            if isinstance(frame, Assign):
                self.jobs |= {job[1]: job[0] for job in frame.jobs}
        if self.channel.closed:
            self.exit(0)

    def ready(self) -> None:
        self.channel.send(WorkerReady())

    def ends(self, name: str, how: str = "done", *details: str) -> None:
        """Say how a job ended, as a worker does."""
        self.channel.send(Results([[self.jobs.pop(name), how, 0.01, *details]]))

    def exit(self, status: int) -> None:
        """Die, and be reported."""
        if self.channel.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self.channel.fileno())
            self.channel.close()
            self.page.close()
            self._server.channel.send(Exited(self.child, 2, status))


class Server:
    """The fork server's end. Its workers leave when their sockets end, and die when they are killed."""

    def __init__(self, sock: socket.socket) -> None:
        self.channel = Channel(sock)
        self.workers: list[Worker] = []
        self._children: list[int] = []
        asyncio.get_running_loop().add_reader(sock.fileno(), self._hear)

    def _hear(self) -> None:
        frames, descriptors = self.channel.receive_with_descriptors()
        self._children += [frame.child for frame in frames if isinstance(frame, Spawn)]
        if descriptors:
            self.workers.append(Worker(self, self._children.pop(0), descriptors))
        for frame in frames:
            if isinstance(frame, Kill):
                next(worker for worker in self.workers if worker.child == frame.child).exit(-frame.signal)
        if self.channel.closed:
            self.die()

    def die(self) -> None:
        if self.channel.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self.channel.fileno())
            self.channel.close()


class Listener(NoListener):
    """Notes what it is told of the consumer's life."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str | None]] = []

    def booted(self) -> None:
        self.heard.append(("booted", None))

    def ready(self) -> None:
        self.heard.append(("ready", None))

    def degraded(self, reason: str | None) -> None:
        self.heard.append(("degraded", reason))

    def stopping(self, reason: str) -> None:
        self.heard.append(("stopping", reason))

    def fork_server_hangs(self, reason: str) -> None:
        self.heard.append(("hangs", reason))

    def of(self, word: str) -> list[str | None]:
        return [detail for heard, detail in self.heard if heard == word]


class Scene:
    """A consumer, and all that it deals with."""

    def __init__(self, limits: Limits, name: str) -> None:
        ours, theirs = socket.socketpair()
        self.client = Client()
        self.server = Server(theirs)
        self.life = Listener()
        settings = PoolSettings(QueueRef.parse(name), limits, RetryPolicy())
        self.consumer = PooledConsumer(settings, self.client, partial(Workers, ZygoteHandle.inherited(ours)))
        self.consumer.report_to(self.life)
        self.running = asyncio.create_task(self.consumer.run())

    @property
    def workers(self) -> list[Worker]:
        return self.server.workers

    async def worker(self, count: int = 1) -> Worker:
        """The worker that was asked for last, once there were so many, ready for a job."""
        await until(lambda: len(self.workers) == count)
        self.workers[-1].ready()
        return self.workers[-1]

    async def receives(self, count: int) -> None:
        await until(lambda: len(self.client.receives) >= count)

    async def bring(self, *names: str, group: str | None = None) -> Worker:
        """Have a receive bring these messages, to the only worker; it has the first of them then."""
        worker = self.workers[-1] if self.workers else await self.worker()
        await self.receives(1)
        self.client.coming.put([delivery(name, group) for name in names])
        await until(lambda: names[0] in worker.jobs)
        return worker

    async def ended(self) -> ExitCode:
        """The exit code. Receives under way bring nothing."""
        for _ in range(50):
            self.client.coming.put([])
        return await asyncio.wait_for(self.running, 60)


def play(
    scenario: Callable[[Scene], Coroutine[None, None, None]], limits: Limits = LIMITS, name: str = "emails"
) -> Scene:
    """Run a scenario; the consumer is at its end after it."""
    before = set(threading.enumerate())

    async def whole() -> Scene:
        scene = Scene(limits, name)
        try:
            await scenario(scene)
            if not scene.running.done():
                scene.consumer.stop("the test")
                await scene.ended()
        finally:
            scene.server.die()
            scene.running.cancel()
            with suppress(asyncio.CancelledError):
                await scene.running
        return scene

    scene = run(whole(), 60)
    for thread in set(threading.enumerate()) - before:
        if thread.name.startswith("squids-"):
            thread.join(60)
    return scene
