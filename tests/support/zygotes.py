"""Zygotes as real processes, seen by their owner."""

from __future__ import annotations

import enum
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from squids.process.protocol import Exited, FromZygote, Spawned, SpawnFailed
from squids.process.zygote_handle import ZygoteHandle
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
ENTRIES = "tests.support.zygote_entries"

Event = TypeVar("Event", Spawned, SpawnFailed, Exited)


class Method(enum.Enum):
    """How children start."""

    FORK = "fork"
    EXEC = "exec"


def state(pid: int) -> str | None:
    """The kernel's letter for a process: R, S, Z ...; None if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return None


def alive(pid: int) -> bool:
    return state(pid) not in (None, "Z")


def end(pid: int) -> None:
    """Kill a process that a test started, if it is still there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


class TestChild:
    """A child under test, and its owner's end of the socket."""

    __test__ = False

    def __init__(self, number: int, sock: socket.socket) -> None:
        self.number = number
        self.socket = sock
        self.pid = 0
        self._lines = sock.makefile("rb")

    def told(self, seconds: float = 30.0) -> dict[str, Any]:
        """The next thing it tells."""
        self.socket.settimeout(seconds)
        line = self._lines.readline()
        assert line, f"child {self.number} tells nothing, and has closed its socket"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Have it see its owner go."""
        self._lines.close()
        self.socket.close()


class OwnedZygote:
    """A zygote and its children. Use it as a context: afterwards none of them is left."""

    def __init__(self, method: Method, trouble: str = "", directory: Path | None = None) -> None:
        self.method = method
        self.events: list[FromZygote] = []
        self.children: dict[int, TestChild] = {}
        self.handle = self._fork(trouble, directory) if method is Method.FORK else self._exec()

    def _fork(self, trouble: str, directory: Path | None) -> ZygoteHandle:
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-m", "tests.support.zygote_host", str(theirs.fileno()), trouble]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            command,
            pass_fds=[theirs.fileno()],
            env=environment,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            process_group=0,
        )
        theirs.close()
        return ZygoteHandle(process.pid, ours, process)

    def _exec(self) -> ZygoteHandle:
        return ZygoteHandle.exec(f"{ENTRIES}:preload", {"answer": 42}, "squids: test zygote")

    def __enter__(self) -> OwnedZygote:
        return self

    def __exit__(self, *_: object) -> None:
        for child in self.children.values():
            child.close()
        self.handle.close()
        if self.handle.wait(10) is None:
            end(self.handle.pid)
            self.handle.wait(10)
        for child in self.children.values():
            if child.pid and state(child.pid) is not None:
                end(child.pid)

    def spawn(
        self,
        entry: str,
        descriptors: Sequence[int] = (),
        *,
        grace: float = 0.0,
        owns_children: bool = False,
        wait: bool = True,
        **args: Any,
    ) -> TestChild:
        """Have a child run an entry of `zygote_entries` (or "module:function")."""
        ours, theirs = socket.socketpair()
        child = TestChild(len(self.children) + 1, ours)
        self.children[child.number] = child
        self.handle.spawn(
            child.number,
            entry if ":" in entry else f"{ENTRIES}:{entry}",
            args,
            title=f"squids: test child {child.number}",
            orphan_grace=grace,
            descriptors=[theirs.fileno(), *descriptors],
            owns_children=owns_children,
        )
        theirs.close()
        if wait:
            child.pid = self.wait_for(Spawned, child).pid
        return child

    def wait_for(self, kind: type[Event], child: TestChild, seconds: float = 30.0) -> Event:
        """The event of this kind of this child, once the zygote reports it."""
        deadline = time.monotonic() + seconds
        while True:
            for event in self.events:
                if isinstance(event, kind) and event.child == child.number:
                    return event
            left = deadline - time.monotonic()
            assert left > 0, f"no {kind.__name__} of {child.number} within {seconds} s: {self.events}"
            self.listen(left)
            assert not self.handle.gone, f"the zygote is gone: {self.events}"

    def exited(self, child: TestChild) -> Exited:
        return self.wait_for(Exited, child)

    def listen(self, seconds: float) -> list[FromZygote]:
        """What it reports next, waited for up to so many seconds."""
        select.select([self.handle.channel], [], [], seconds)
        more = self.handle.receive()
        self.events += more
        return more

    def leaves(self, seconds: float = 20.0) -> int:
        """Its exit status, once it has left by itself."""
        status = self.handle.wait(seconds)
        assert status is not None, "the zygote has not left"
        return status


def wakeups(pid: int) -> int:
    """How often a process went to sleep of itself so far, and so woke up."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("voluntary_ctxt_switches:"):
            return int(line.split()[1])
    raise AssertionError(f"{pid} is gone")


def sleeping(pid: int) -> None:
    """Wait until a process sleeps."""
    wait_until(lambda: state(pid) == "S", what=f"{pid} sleeps")


def dead(pid: int, seconds: float = 20.0) -> None:
    """Wait until a process is dead, reaped or not: for one whose zygote is gone too."""
    wait_until(lambda: not alive(pid), seconds=seconds, what=lambda: f"{pid} is dead, and is {state(pid)}")


def gone(pid: int, seconds: float = 20.0) -> None:
    """Wait until a process is dead and reaped."""
    wait_until(
        lambda: state(pid) is None, seconds=seconds, what=lambda: f"{pid} is gone, and is {state(pid)}"
    )
