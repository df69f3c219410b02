"""The fork server: a single thread that starts children on request, reaps them, and reports their ends.

Its owners (the process that started it, and children that own children) each have a socket to it: Spawn and
Kill come in, Spawned, SpawnFailed and Exited go out. `zygote_handle` is the owner's view. It sleeps in `poll`
until something happens, without wake-ups when idle. It also kills orphans (`orphans`).

There are two start methods. Forked: children are copies of this process, which has imported what they need.
Fresh: each child is a new interpreter (`child_main`), for apps that do not survive a fork.

On Linux it is a child subreaper: it adopts and reaps orphaned processes of tasks. Each dead child's process
group is killed before the child is reaped, while its pid cannot be reused.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from squids.process.channel import Channel, close_all
from squids.process.child import apply_limits, exit_now, run_and_exit
from squids.process.entry_points import resolve
from squids.process.frames import FrameError
from squids.process.interpreter import interpreter_of
from squids.process.orphans import Orphans
from squids.process.outlet import Outlet
from squids.process.output import complain, flush_output
from squids.process.protocol import Exited, Frame, Kill, Output, Spawn, Spawned, SpawnFailed
from squids.process.signals import restore, restore_defaults

PR_SET_CHILD_SUBREAPER = 36
"""From prctl(2)."""

IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""The fork server gets commands over its socket, and outlives its owner."""


ALL_SIGNALS = signal.valid_signals()
"""Computed once, because that touches much memory."""


@dataclass(eq=False, slots=True)
class _Owner:
    channel: Channel
    descriptors: deque[list[int]] = field(default_factory=deque)
    """The descriptors of each incomplete Spawn."""
    nice: int = 0
    limits: dict[str, int | None] = field(default_factory=dict)
    """The limits of each of its children."""


@dataclass(eq=False, slots=True)
class _Child:
    number: int
    pid: int
    grace: float
    owner: _Owner | None
    process: subprocess.Popen[bytes] | None = None
    owns: _Owner | None = None


@dataclass(frozen=True, slots=True)
class Fresh:
    """How a fresh interpreter gets what it needs: an entry point and its arguments."""

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
        self._first = self._add_owner(owner)
        self._outputs: dict[int, int] = {}
        """The read ends of children's output, by pid.

        The first owner reads them. When it is gone, they are read here, so that no task fails on a full pipe.
        """
        self._wake_read, self._wake_write = os.pipe()

    def serve(self) -> None:
        """Run until no owner and no child is left."""
        self._take_signals()
        while self._owners or self._children:
            self._wait()
            self._reap()
            for pid in self._orphans.due(time.monotonic()):
                _kill_group(pid)

    def _take_signals(self) -> None:
        restore_defaults()  # Here, so that a child need only restore what is changed below.
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
        unread = list(self._outputs.values()) if self._first.channel.closed else []
        for descriptor in unread:
            poll.register(descriptor, select.POLLIN)
        at = self._orphans.wakes_at()
        timeout = None if at is None else max(0.0, at - time.monotonic()) * 1000 + 1
        for descriptor, _ in poll.poll(timeout):
            if descriptor == self._wake_read:
                os.read(self._wake_read, 4096)
            elif descriptor in self._owners:
                self._hear(descriptor)
            elif descriptor in unread and not _discard(descriptor):
                self._close_output(descriptor)

    # Owners.

    def _add_owner(self, sock: socket.socket) -> _Owner:
        owner = _Owner(Channel(sock))
        self._owners[owner.channel.fileno()] = owner
        return owner

    def _hear(self, descriptor: int) -> None:
        owner = self._owners[descriptor]
        owner.channel.flush()
        try:
            frames, descriptors = owner.channel.receive_with_descriptors()
        except (FrameError, ValueError) as error:
            complain(f"squids: an owner of processes is given up: {error}\n")
            self._lose(descriptor)
            return
        if descriptors is not None:
            owner.descriptors.append(descriptors)
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
            close_all(unused)
        now = time.monotonic()
        for child in self._children.values():
            if child.owner is owner:
                child.owner = None
                self._orphans.orphaned(child.pid, child.grace, now)

    def _report(self, owner: _Owner | None, frame: Frame) -> None:
        if owner is not None:
            owner.channel.send(frame)

    # Children.

    def _spawn(self, owner: _Owner, spawn: Spawn) -> None:
        descriptors = owner.descriptors.popleft() if spawn.descriptors else []
        new_owner: _Owner | None = None
        try:
            if len(descriptors) != spawn.descriptors:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            if spawn.owns_children:
                ours, theirs = socket.socketpair()
                descriptors.insert(1, theirs.detach())
                new_owner = self._add_owner(ours)  # Before the fork: a child closes its owners' sockets.
                new_owner.nice, new_owner.limits = spawn.nice, spawn.limits
            child = self._start(owner, spawn, descriptors)
            child.owns = new_owner
        except Exception as error:
            if new_owner is not None:
                self._lose(new_owner.channel.fileno())
            number = error.errno if isinstance(error, OSError) else None
            reason = (error.strerror if isinstance(error, OSError) else None) or repr(error)
            self._report(owner, SpawnFailed(spawn.child, number or 0, reason))
        else:
            self._children[child.pid] = child
            self._report(owner, Spawned(spawn.child, child.pid))
        finally:
            close_all(descriptors)

    def _start(self, owner: _Owner, spawn: Spawn, descriptors: list[int]) -> _Child:
        outlet = Outlet.make() if spawn.program else None
        nice, limits = spawn.nice or owner.nice, {**owner.limits, **spawn.limits}
        # Block signals until the child has its own dispositions.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ALL_SIGNALS)
        try:
            if self._fresh is not None:
                process = self._start_fresh(spawn, descriptors, outlet, nice, limits)
                child = _Child(spawn.child, process.pid, spawn.orphan_grace, owner, process)
            else:
                pid = self._fork(spawn, descriptors, outlet, nice, limits)
                child = _Child(spawn.child, pid, spawn.orphan_grace, owner)
        except BaseException:
            if outlet is not None:
                outlet.close_readers()
            raise
        finally:
            if outlet is not None:
                outlet.given()
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if outlet is not None:
            self._outputs[child.pid] = outlet.prints
            if not self._first.channel.closed:
                frame = Output(spawn.program, spawn.worker, child.pid)
                self._first.channel.send(frame, [outlet.prints, outlet.records])
            os.close(outlet.records)  # Unlike output, an unread record does no harm to a task.
        return child

    def _fork(
        self,
        spawn: Spawn,
        descriptors: list[int],
        outlet: Outlet | None,
        nice: int,
        limits: Mapping[str, int | None],
    ) -> int:
        entry = resolve(spawn.entry)  # Here, so that children share what it imports.
        flush_output()
        pid = os.fork()
        if pid == 0:
            self._be_child(spawn, entry, descriptors, outlet, nice, limits)
        try:
            os.setpgid(pid, pid)  # The child does so too; whichever is first.
        except OSError:
            pass  # The child was first, or is already gone.
        return pid

    def _be_child(
        self,
        spawn: Spawn,
        entry: Any,
        descriptors: list[int],
        outlet: Outlet | None,
        nice: int,
        limits: Mapping[str, int | None],
    ) -> NoReturn:
        try:
            os.setpgid(0, 0)
            signal.set_wakeup_fd(-1)
            restore(*IGNORED, signal.SIGCHLD)
            os.close(self._wake_read)
            os.close(self._wake_write)
            for owner in self._owners.values():
                owner.channel.close()
                for unused in owner.descriptors:
                    close_all(unused)
            close_all(list(self._outputs.values()))
            if outlet is not None:
                outlet.take()
            apply_limits(nice, limits)
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
        except BaseException as error:  # Whatever it is: above this call is the fork server's own code.
            complain(f"squids: a child could not begin: {error}\n")
            exit_now(1)
        run_and_exit(entry, self._preloaded, descriptors, spawn.args, spawn.title)

    def _start_fresh(
        self,
        spawn: Spawn,
        descriptors: list[int],
        outlet: Outlet | None,
        nice: int,
        limits: Mapping[str, int | None],
    ) -> subprocess.Popen[bytes]:
        assert self._fresh is not None
        spec = {
            "path": sys.path,
            "title": spawn.title,
            "preload_entry": self._fresh.preload_entry,
            "preload_args": self._fresh.preload_args,
            "entry": spawn.entry,
            "args": spawn.args,
            "descriptors": descriptors,
            "nice": nice,
            "limits": limits,
            "records": outlet.child_records if outlet is not None else None,
        }
        prints = outlet.child_prints if outlet is not None else None
        records = [outlet.child_records] if outlet is not None else []
        with interpreter_of("squids.process.child_main", spec) as (command, inherited):
            return subprocess.Popen(
                command,
                pass_fds=[*descriptors, *records, inherited],
                process_group=0,
                stdin=subprocess.DEVNULL,
                stdout=prints,
                stderr=prints,
            )

    def _kill(self, owner: _Owner, kill: Kill) -> None:
        for child in list(self._children.values()):
            if child.number == kill.child and child.owner is owner:
                if kill.tree:
                    for other in list(self._children.values()):
                        if other.owner is not None and other.owner is child.owns:
                            _signal(other.pid, kill.signal, group=kill.group)
                _signal(child.pid, kill.signal, group=kill.group)
                return

    def _reap(self) -> None:
        while (pid := _dead_child()) is not None:
            if pid in self._children:
                _kill_group(pid)  # Before it is reaped, while its pid is not reused.
            try:
                pid, status = os.waitpid(pid or -1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self._children.pop(pid, None)
            if child is None:
                continue  # Something that a task left behind.
            if not hasattr(os, "waitid"):
                _kill_group(pid)
            self._orphans.ended(pid)
            if not self._first.channel.closed and pid in self._outputs:
                self._close_output(self._outputs[pid])  # The first owner has its own descriptor.
            code = os.waitstatus_to_exitcode(status)
            if child.process is not None:
                child.process.returncode = code
            self._report(child.owner, Exited(child.number, child.pid, code))

    def _close_output(self, descriptor: int) -> None:
        self._outputs = {pid: other for pid, other in self._outputs.items() if other != descriptor}
        os.close(descriptor)


def become_subreaper() -> None:
    """Make this process, instead of init, adopt orphaned descendants. Linux only."""
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _dead_child() -> int | None:
    """Return a dead child without reaping it; None if there is none, 0 if the system cannot tell."""
    if not hasattr(os, "waitid"):  # macOS, before Python 3.13.
        return 0
    try:
        dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return dead.si_pid if dead else None


def _discard(descriptor: int) -> bool:
    """Read and discard what is there. Returns False at the end."""
    try:
        return bool(os.read(descriptor, 65536))
    except BlockingIOError:
        return True


def _signal(pid: int, number: int, *, group: bool) -> None:
    try:
        if group:
            os.killpg(pid, number)
        else:
            os.kill(pid, number)
    except OSError:
        pass  # Dead and soon reaped, or not a valid signal.


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass  # The group is empty, or has only its dead leader (on macOS).
