"""The fork server: one thread, which starts children on request, reaps them, reports their ends, and
enforces the rule of orphans.

Its owners (the process that made it, and children that own children) speak to it over a socket
each: Spawn and Kill come in, Spawned, SpawnFailed and Exited go out. How its owner sees it is in
`zygote_handle`. It sleeps in `poll` until something happens: no wake-ups when idle.

Two start methods behind one face. Forked: the children are copies of this process, which has
imported what they need. Fresh: each child is a new interpreter (`child_main`), for apps that no
fork may cross.

On Linux it is a child subreaper: what a task leaves behind comes to it and is reaped here, and
each child's death is looked at before it is reaped, so that its group is killed while its pid
cannot mean anybody else.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, NoReturn

from squids.process.channel import Channel
from squids.process.child import leave, run_and_exit, set_title
from squids.process.entry_points import resolve
from squids.process.orphans import Orphans
from squids.process.protocol import Exited, Frame, Kill, Spawn, Spawned, SpawnFailed
from squids.process.signals import restore, restore_defaults

PR_SET_CHILD_SUBREAPER = 36
"""prctl(2)."""

IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""The zygote is told over its socket, and outlives its owner."""


@dataclass(eq=False, slots=True)
class _Owner:
    channel: Channel
    descriptors: deque[int] = field(default_factory=deque)


@dataclass(eq=False, slots=True)
class _Child:
    number: int
    pid: int
    grace: float
    owner: _Owner | None
    process: subprocess.Popen[bytes] | None = None


@dataclass(frozen=True, slots=True)
class Fresh:
    """How a fresh interpreter finds what it needs: an entry point and its arguments."""

    preload_entry: str
    preload_args: dict[str, Any]


class Zygote:
    """The fork server's loop. `fresh` None: children are forked, and share `preloaded`."""

    def __init__(self, owner: socket.socket, preloaded: Any, fresh: Fresh | None) -> None:
        self._preloaded = preloaded
        self._fresh = fresh
        self._owners: dict[int, _Owner] = {}
        self._children: dict[int, _Child] = {}
        self._orphans = Orphans()
        self._add_owner(owner)
        self._wake_read, self._wake_write = os.pipe()

    def serve(self) -> None:
        """Until no owner and no child is left."""
        self._take_signals()
        while self._owners or self._children:
            self._wait()
            self._reap()
            for pid in self._orphans.due(time.monotonic()):
                _kill_group(pid)

    def _take_signals(self) -> None:
        restore_defaults()  # Here, so that a child has only what is changed below to restore.
        for number in IGNORED:
            signal.signal(number, signal.SIG_IGN)
        for descriptor in (self._wake_read, self._wake_write):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        become_subreaper()

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._wake_read, select.POLLIN)
        for descriptor, owner in self._owners.items():
            events = select.POLLIN | (select.POLLOUT if owner.channel.wants_write else 0)
            poll.register(descriptor, events)
        at = self._orphans.wakes_at()
        timeout = None if at is None else max(0.0, at - time.monotonic()) * 1000 + 1
        for descriptor, _ in poll.poll(timeout):
            if descriptor == self._wake_read:
                os.read(self._wake_read, 4096)
            elif descriptor in self._owners:
                self._hear(descriptor)

    # Owners.

    def _add_owner(self, sock: socket.socket) -> _Owner:
        owner = _Owner(Channel(sock))
        self._owners[owner.channel.fileno()] = owner
        return owner

    def _hear(self, descriptor: int) -> None:
        owner = self._owners[descriptor]
        owner.channel.flush()
        frames, descriptors = owner.channel.receive_with_descriptors()
        owner.descriptors.extend(descriptors)
        for frame in frames:
            match frame:
                case Spawn():
                    self._spawn(owner, frame)
                case Kill():
                    self._kill(owner, frame)
        if owner.channel.closed:
            self._lose(descriptor)

    def _lose(self, descriptor: int) -> None:
        owner = self._owners.pop(descriptor)
        owner.channel.close()
        for unused in owner.descriptors:
            os.close(unused)
        now = time.monotonic()
        for child in self._children.values():
            if child.owner is owner:
                child.owner = None
                self._orphans.orphaned(child.pid, child.grace, now)

    def _tell(self, owner: _Owner | None, frame: Frame) -> None:
        if owner is not None:
            owner.channel.send(frame)

    # Children.

    def _spawn(self, owner: _Owner, spawn: Spawn) -> None:
        descriptors = [owner.descriptors.popleft() for _ in range(spawn.descriptors)]
        theirs: socket.socket | None = None
        ours: socket.socket | None = None
        try:
            if spawn.owns_children:
                ours, theirs = socket.socketpair()
                descriptors.insert(1, theirs.detach())
            child = self._start(owner, spawn, descriptors)
        except OSError as error:
            self._tell(owner, SpawnFailed(spawn.child, error.errno or 0, error.strerror or str(error)))
        except (ImportError, AttributeError) as error:
            self._tell(owner, SpawnFailed(spawn.child, 0, str(error)))
        else:
            self._children[child.pid] = child
            self._tell(owner, Spawned(spawn.child, child.pid))
            if ours is not None:
                self._add_owner(ours)
                ours = None
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
            if ours is not None:
                ours.close()

    def _start(self, owner: _Owner, spawn: Spawn, descriptors: list[int]) -> _Child:
        if self._fresh is not None:
            process = self._start_fresh(spawn, descriptors)
            return _Child(spawn.child, process.pid, spawn.orphan_grace, owner, process)
        entry = resolve(spawn.entry)  # Here, so that what it imports is shared by all.
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            self._be_child(spawn, entry, descriptors)
        try:
            os.setpgid(pid, pid)  # The child does so too; whoever comes first.
        except OSError:
            pass  # It was first, or is gone already.
        return _Child(spawn.child, pid, spawn.orphan_grace, owner)

    def _be_child(self, spawn: Spawn, entry: Any, descriptors: list[int]) -> NoReturn:
        try:
            os.setpgid(0, 0)
            signal.set_wakeup_fd(-1)
            restore(*IGNORED, signal.SIGCHLD)
            os.close(self._wake_read)
            os.close(self._wake_write)
            for owner in self._owners.values():
                owner.channel.close()
                for descriptor in owner.descriptors:
                    os.close(descriptor)
        except OSError as error:
            sys.stderr.write(f"squids: a child could not begin: {error}\n")
            leave(1)
        run_and_exit(entry, self._preloaded, descriptors, spawn.args, spawn.title)

    def _start_fresh(self, spawn: Spawn, descriptors: list[int]) -> subprocess.Popen[bytes]:
        assert self._fresh is not None
        spec = {
            "path": sys.path,
            "title": spawn.title,
            "preload_entry": self._fresh.preload_entry,
            "preload_args": self._fresh.preload_args,
            "entry": spawn.entry,
            "args": spawn.args,
            "descriptors": descriptors,
        }
        command = [sys.executable, "-m", "squids.process.child_main", json.dumps(spec)]
        return subprocess.Popen(command, pass_fds=descriptors, process_group=0, stdin=subprocess.DEVNULL)

    def _kill(self, owner: _Owner, kill: Kill) -> None:
        for child in self._children.values():
            if child.number == kill.child and child.owner is owner:
                try:
                    if kill.group:
                        os.killpg(child.pid, kill.signal)
                    else:
                        os.kill(child.pid, kill.signal)
                except ProcessLookupError:
                    pass  # Dead, and soon reaped.
                return

    def _reap(self) -> None:
        while True:
            try:
                dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if dead is None:
                return
            child = self._children.pop(dead.si_pid, None)
            if child is not None:
                _kill_group(child.pid)  # Before it is reaped: its pid is still its own.
            _, status, usage = os.wait4(dead.si_pid, 0)
            if child is None:
                continue  # A stranger: something that a task left behind.
            self._orphans.ended(child.pid)
            code = os.waitstatus_to_exitcode(status)
            if child.process is not None:
                child.process.returncode = code
            cpu = usage.ru_utime + usage.ru_stime
            self._tell(child.owner, Exited(child.number, child.pid, code, cpu, usage.ru_maxrss))


def become_subreaper() -> None:
    """Have orphans below this process come to it, not to init. Linux only."""
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass  # Nobody is left in it, or only its dead leader (macOS says so this way).


def main(argv: list[str]) -> NoReturn:
    """A zygote of fresh children, as an interpreter of its own. `argv`: the specification as JSON."""
    spec = json.loads(argv[1])
    sys.path[:] = spec["path"]
    set_title(spec["title"])
    fresh = Fresh(spec["preload_entry"], spec["preload_args"])
    Zygote(socket.socket(fileno=spec["descriptor"]), None, fresh).serve()
    leave(0)


if __name__ == "__main__":
    main(sys.argv)
