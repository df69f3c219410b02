"""The worker processes of a consumer, against a fork server and an owner that the tests play."""

from __future__ import annotations

import asyncio
import mmap
import os
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing

import pytest

from squids.job import JobEnd
from squids.pool import workers as workers_module
from squids.pool.message import HeldMessage
from squids.pool.settings import Limits, PoolSettings
from squids.pool.worker_main import MARK
from squids.pool.workers import WorkerEnd, Workers
from squids.process.channel import Channel
from squids.process.protocol import (
    Assign,
    Degraded,
    Exited,
    Frame,
    Kill,
    Results,
    Spawn,
    Spawned,
    SpawnFailed,
    WorkerReady,
)
from squids.process.zygote_handle import ZygoteHandle
from squids.queues import QueueRef
from squids.retry import RetryPolicy
from tests.support.loops import run, until


class Owner:
    """A consumer that notes what it is told."""

    def __init__(self) -> None:
        self.hires = True
        self.over = False
        self.decisions = 0
        self.ready: list[int] = []
        self.results: list[tuple[int, JobEnd]] = []
        self.ends: list[WorkerEnd] = []
        self.said: list[str] = []

    def decide(self) -> None:
        self.decisions += 1

    def worker_ready(self, handle) -> None:
        self.ready.append(handle.child)

    def jobs_ended(self, handle, results) -> None:
        self.results += [(result.number, result.end) for result in results]

    def worker_gone(self, end) -> None:
        self.ends.append(end)

    def workers_keep_dying(self) -> None:
        self.said.append("keep dying")
        self.hires = False

    def fork_server_died(self) -> None:
        self.said.append("fork server died")
        self.hires = False

    def blame_fork_server(self, reason) -> None:
        self.said.append(reason)


class Server:
    """The fork server's end: which workers were asked for, and their ends of their sockets."""

    def __init__(self, sock: socket.socket) -> None:
        self.channel = Channel(sock)
        self.spawns: list[Spawn] = []
        self.kills: list[int] = []
        self.workers: dict[int, Channel] = {}
        self.pages: dict[int, mmap.mmap] = {}
        asyncio.get_running_loop().add_reader(sock.fileno(), self._hear)

    def _hear(self) -> None:
        frames, descriptors = self.channel.receive_with_descriptors()
        if self.channel.closed:
            self.die()
        for frame in frames:
            if isinstance(frame, Kill):
                self.kills.append(frame.child)
            elif isinstance(frame, Spawn):
                self.spawns.append(frame)
        if descriptors:
            child = self.spawns[-1].child
            self.workers[child] = Channel(socket.socket(fileno=descriptors[0]))
            self.pages[child] = mmap.mmap(descriptors[1], mmap.PAGESIZE)
            os.close(descriptors[1])

    def say(self, frame: Frame) -> None:
        self.channel.send(frame)

    def die(self) -> None:
        """Its socket ends."""
        if self.channel.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self.channel.fileno())
            self.channel.close()

    def close(self) -> None:
        self.die()
        for worker in self.workers.values():
            worker.close()


class Scene:
    """Workers, the fork server that was asked for them, and their owner."""

    def __init__(self, count: int) -> None:
        ours, theirs = socket.socketpair()
        self.owner = Owner()
        self.server = Server(theirs)
        settings = PoolSettings(QueueRef.parse("emails"), Limits(count, 2 * count, 60, 30.0), RetryPolicy())
        loop = asyncio.get_running_loop()
        self.workers = Workers(ZygoteHandle.inherited(ours), settings, self.owner, loop)

    async def asked(self, count: int) -> None:
        await until(lambda: len(self.server.workers) == count)

    async def came(self, child: int, process: subprocess.Popen[bytes]) -> None:
        self.server.say(Spawned(child, process.pid))
        await until(lambda: self.workers[child].process is not None)


def play(scenario: Callable[[Scene], Awaitable[None]], count: int = 1) -> Scene:
    """Run a scenario to its end; the fork server and all workers are gone after it."""

    async def played() -> Scene:
        scene = Scene(count)
        with closing(scene.server):
            scene.workers.start()
            await scene.asked(count)
            await scenario(scene)
            scene.owner.over = True
            scene.server.die()
            await scene.workers.close()
        return scene

    return run(played(), seconds=60.0)


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A process that can be a worker: it does nothing until it is killed."""
    command = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as started:
        yield started
        started.kill()


def message(number: int) -> HeldMessage:
    held = HeldMessage(f"m{number}", "receipt", "{}", 1, None, None, 0.0, 60.0)
    held.number = number
    return held


def test_each_slot_gets_a_worker_and_what_it_says_is_heard():
    """From the first word to results."""

    async def scenario(scene: Scene) -> None:
        server = scene.server
        assert [frame.title for frame in server.spawns] == [f"squids: emails worker {n}" for n in (1, 2, 3)]
        server.workers[2].send(WorkerReady())
        await until(lambda: scene.owner.ready == [2])
        assert scene.workers.ready == {2}
        scene.workers.assign(2, [message(7)])
        heard: list[Frame] = []
        await until(lambda: heard.extend(server.workers[2].receive()) or heard)
        assert heard == [Assign([[7, "m7", "{}", 1, None, None]])]
        decisions = scene.owner.decisions
        server.workers[2].send(Results([[7, "done", 0.1]]))
        await until(lambda: scene.owner.results == [(7, JobEnd.DONE)])
        await until(lambda: scene.owner.decisions > decisions)

    play(scenario, count=3)


def test_why_a_worker_cannot_start_is_logged_once_and_kept_until_one_starts(caplog):
    """By slot: another one that starts heals nothing."""

    async def scenario(scene: Scene) -> None:
        for child in (1, 2):
            scene.server.workers[child].send(Degraded("no port"))
        await until(lambda: set(scene.workers.failures) == {1, 2})
        assert scene.workers.trouble == "worker 1 cannot start: no port"
        scene.server.workers[1].send(WorkerReady())
        await until(lambda: scene.workers.trouble == "worker 2 cannot start: no port")
        scene.workers.resize(1)
        assert scene.workers.trouble is None

    play(scenario, count=2)
    assert [record.action for record in caplog.records] == ["worker_cannot_start"]


def test_a_dead_worker_is_heard_to_the_end_and_replaced(process):
    """Results that it still sent count, and the job that it was in is named."""

    async def scenario(scene: Scene) -> None:
        await scene.came(1, process)
        worker = scene.server.workers[1]
        MARK.pack_into(scene.server.pages[1], 0, 2, time.monotonic())
        scene.server.say(Exited(1, process.pid, -9))  # It is read first.
        worker.send(WorkerReady())
        worker.send(Results([[1, "done", 0.1]]))
        worker.close()
        await until(lambda: scene.owner.ends)
        assert scene.owner.results == [(1, JobEnd.DONE)]
        (end,) = scene.owner.ends
        assert (end.handle.child, end.started, end.how) == (1, 2, "was killed by SIGKILL")
        assert (end.status, end.retired) == (-9, False)
        assert scene.workers.ready == set()
        await scene.asked(2)
        assert scene.server.spawns[1].child == 2
        assert scene.server.spawns[1].title == "squids: emails worker 1"

    play(scenario)


def test_a_consumer_that_drains_replaces_nobody(process):
    """It is to be done soon."""

    async def scenario(scene: Scene) -> None:
        await scene.came(1, process)
        scene.owner.hires = False
        scene.server.say(Exited(1, process.pid, 0))
        await until(lambda: scene.owner.ends)
        scene.workers.fill()
        assert list(scene.workers.handles) == []

    play(scenario)


def test_workers_that_keep_dying_are_given_up():
    """Nothing is finished in between: more of them would end the same."""

    async def scenario(scene: Scene) -> None:
        while not scene.owner.said:
            for handle in list(scene.workers.handles):
                scene.server.say(Exited(handle.child, 2, 3))
            for _ in range(5):
                await asyncio.sleep(0)
            scene.workers.fill()  # The backoff is somebody else's test.

    scene = play(scenario)
    assert scene.owner.said == ["keep dying"]
    assert len(scene.owner.ends) == 10


def test_a_fork_that_the_system_refuses_is_tried_again(monkeypatch):
    """It is no death of a worker."""
    monkeypatch.setattr(workers_module, "FORK_RETRY", 0.01)

    async def scenario(scene: Scene) -> None:
        scene.server.say(SpawnFailed(1, 11, "out of processes"))
        await scene.asked(2)
        assert 1 not in scene.workers
        assert scene.owner.ends == []

    play(scenario)


def test_fewer_workers_are_wanted(process):
    """Those too many are named; a dead one of them is not replaced, and its end is no surprise."""

    async def scenario(scene: Scene) -> None:
        assert scene.workers.resize(1) == [2]
        await scene.came(2, process)
        scene.server.say(Exited(2, process.pid, 0))
        await until(lambda: scene.owner.ends)
        assert scene.owner.ends[0].retired
        scene.workers.fill()
        assert [handle.slot for handle in scene.workers.handles] == [1]

    play(scenario, count=2)


def test_a_slot_that_is_wanted_again_gets_a_worker_beside_the_one_that_leaves():
    """Its task may take long yet."""

    async def scenario(scene: Scene) -> None:
        scene.workers.resize(1)
        scene.workers.resize(2)
        scene.workers.fill()
        await scene.asked(3)
        assert [handle.slot for handle in scene.workers.handles] == [1, 2, 2]

    play(scenario, count=2)


def test_a_kill_goes_to_the_fork_server_and_to_the_process(process):
    """Whichever of the two works."""

    async def scenario(scene: Scene) -> None:
        await scene.came(1, process)
        scene.workers.kill(scene.workers[1])
        await until(lambda: scene.server.kills == [1])
        assert await asyncio.to_thread(process.wait, 20) == -9

    play(scenario)


def test_without_a_fork_server_the_dead_are_found_by_themselves(process):
    """Those that live run on; whose end it cannot report any more is buried."""

    async def scenario(scene: Scene) -> None:
        await scene.came(1, process)
        scene.server.die()
        await until(lambda: scene.owner.said == ["fork server died"])
        assert scene.owner.ends == []
        scene.server.workers[1].close()
        await until(lambda: scene.owner.ends)
        (end,) = scene.owner.ends
        assert (end.how, end.status) == ("ended, status unknown", None)

    play(scenario)


def test_a_fork_server_that_hangs_is_blamed_once(process):
    """Here only whoever started it can kill it."""

    async def scenario(scene: Scene) -> None:
        await scene.came(1, process)
        scene.workers.fork_server_hangs("did not start worker 2")
        scene.workers.fork_server_hangs("did not start worker 3")
        assert scene.owner.said == ["did not start worker 2"]
        scene.workers.resize(2)
        scene.workers.fill()
        assert len(scene.workers.handles) == 1

    play(scenario)
