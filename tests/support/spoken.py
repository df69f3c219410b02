"""A fork server whose words a test says: a process with children, and the other end of its socket."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from typing import TypeVar

from squids.process.channel import Channel
from squids.process.protocol import Frame, Kill, Spawn
from squids.process.zygote_handle import ZygoteHandle
from squids.supervisor.fork_servers import ForkServers
from squids.supervisor.generation import GenerationState
from squids.supervisor.settings import AppSpec
from tests.support.loops import until

FORKS = "while read one; do sleep 60 >/dev/null & echo $!; done"
"""A shell that makes a child for each line, and reaps none."""

F = TypeVar("F", bound=Frame)


def end_all(pids: set[int]) -> None:
    """Kill what a test left behind."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


class SpokenForkServer:
    """It has imported an app, and does and says nothing but what it is told to."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.channel = Channel(theirs)
        self.process = subprocess.Popen(
            ["sh", "-c", FORKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        self.handle = ZygoteHandle(self.process.pid, ours, self.process)
        self.heard: list[Frame] = []
        self.ends: list[Channel] = []
        """Of the sockets of its children, in the order in which these were asked for."""
        self.pids: set[int] = set()

    def serve(
        self, fork_servers: ForkServers, app_spec: AppSpec, state: GenerationState = GenerationState.READY
    ) -> None:
        """Be the fork server of a new generation of these."""
        self.generation = fork_servers.generations.new(app_spec)
        self.generation.state, self.generation.uid = state, os.getuid()
        self.generation.handle = self.handle
        self.handle.channel.watch(asyncio.get_running_loop(), fork_servers.hear, self.generation)

    def fork(self) -> int:
        """Make a child; its pid."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        pid = int(self.process.stdout.readline())
        self.pids.add(pid)
        return pid

    def listen(self) -> None:
        """Hear what it was told."""
        frames, descriptors = self.channel.receive_with_descriptors()
        self.heard += frames
        self.ends += [Channel(socket.socket(fileno=one)) for one in descriptors or ()]

    def all_of(self, kind: type[F]) -> list[F]:
        """What it was told of this kind until now."""
        self.listen()
        return [frame for frame in self.heard if isinstance(frame, kind)]

    async def asked(self, count: int = 1) -> list[Spawn]:
        """The children that it was asked for, once there are so many."""
        await until(lambda: len(self.all_of(Spawn)) >= count)
        return self.all_of(Spawn)

    async def told_to_kill(self, count: int = 1) -> list[Kill]:
        """The signals that it was asked to send, once there are so many."""
        await until(lambda: len(self.all_of(Kill)) >= count)
        return self.all_of(Kill)

    def say(self, *frames: Frame) -> None:
        for frame in frames:
            self.channel.send(frame)

    def close(self) -> None:
        self.handle.close()
        self.channel.close()
        for end in self.ends:
            end.close()
        end_all({self.process.pid} if self.process.poll() is None else set())
        end_all(self.pids)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        self.process.wait()
