"""The owner's view of a fork server. `zygote_main` has the fork server itself."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections import deque
from collections.abc import Sequence
from typing import Any

from squids.process.channel import MAX_DESCRIPTORS, close_all
from squids.process.child import exit_now, set_title
from squids.process.exit_handlers import set_aside
from squids.process.interpreter import interpreter_of
from squids.process.loop_channel import LoopChannel
from squids.process.no_terminal import refuse_breakpoints
from squids.process.outlet import Outlet
from squids.process.output import flush_output
from squids.process.protocol import PROTOCOL, FromZygote, Kill, Output, Spawn
from squids.process.zygote_main import Zygote

FORK_SECONDS = 15.0
"""How long a fork server may take to fork."""

REPORT_SECONDS = 5.0
"""How long a fork server may take to report the end of a child after signs of it."""


class ZygoteHandle:
    """A running fork server, and the socket to it."""

    def __init__(self, pid: int, sock: socket.socket, process: subprocess.Popen[bytes] | None = None) -> None:
        self.pid = pid
        self.channel = LoopChannel(sock)
        self._process = process
        self._status: int | None = None
        self._answerable = True
        self.distrusted = False
        """It sent something false or invalid: nothing more is read from it."""
        self._outputs: deque[list[int]] = deque()
        """The descriptors of each incomplete Output."""

    @classmethod
    def fork(cls, preloaded: Any, title: str) -> ZygoteHandle:
        """Fork it from this process, which has a single thread and has imported what children share."""
        ours, theirs = socket.socketpair()
        flush_output()
        pid = os.fork()
        if pid:
            theirs.close()
            return cls(pid, ours)
        code = 1
        try:
            ours.close()
            os.setsid()  # No terminal: Ctrl-C is for the main process, and no task may read from it.
            _read_nothing()
            refuse_breakpoints()
            set_title(title)
            set_aside(owner=False)
            Zygote(theirs, preloaded, None).serve()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            exit_now(code)

    @classmethod
    def inherited(cls, sock: socket.socket) -> ZygoteHandle:
        """The fork server that made this process. Another process is responsible for it."""
        handle = cls(os.getppid(), sock)
        handle._answerable = False
        return handle

    @classmethod
    def exec(cls, preload_entry: str, preload_args: dict[str, Any], title: str) -> ZygoteHandle:
        """Start it as a fresh interpreter whose children are fresh interpreters too."""
        return cls._start(preload_entry, preload_args, title, preload=False, path=sys.path, protocol=None)

    @classmethod
    def start(
        cls,
        preload_entry: str,
        preload_args: dict[str, Any],
        title: str,
        *,
        preload: bool,
        python: str | None,
        outlet: Outlet,
        **process: Any,
    ) -> ZygoteHandle:
        """Start it as a fresh interpreter, which sends Preloaded or PreloadFailed.

        `preload`: it imports what its children share, and forks them; otherwise they are fresh interpreters.
        `python`: another interpreter, by its path as written. `outlet`: for its output. `process`: further
        arguments of subprocess.Popen (cwd, env, user, group, umask). Raises OSError if the system refuses.
        """
        return cls._start(
            preload_entry,
            preload_args,
            title,
            preload=preload,
            path=None,
            protocol=PROTOCOL,
            python=python,
            records=outlet.child_records,
            stdout=outlet.child_prints,
            stderr=outlet.child_prints,
            **process,
        )

    @classmethod
    def _start(
        cls,
        preload_entry: str,
        preload_args: dict[str, Any],
        title: str,
        *,
        preload: bool,
        path: list[str] | None,
        protocol: int | None,
        python: str | None = None,
        records: int | None = None,
        **process: Any,
    ) -> ZygoteHandle:
        ours, theirs = socket.socketpair()
        spec = {
            "path": path,
            "title": title,
            "preload": preload,
            "preload_entry": preload_entry,
            "preload_args": preload_args,
            "descriptor": theirs.fileno(),
            "owner": os.getpid(),
            "protocol": protocol,
            "records": records,
        }
        try:
            with interpreter_of("squids.process.zygote_start", spec, python) as (command, inherited):
                started = subprocess.Popen(
                    command,
                    pass_fds=[theirs.fileno(), inherited, *([] if records is None else [records])],
                    start_new_session=True,  # No terminal: another user's code could type into root's.
                    stdin=subprocess.DEVNULL,
                    **process,
                )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return cls(started.pid, ours, started)

    @property
    def gone(self) -> bool:
        """Whether its socket ended: it is dead, or will be."""
        return self.channel.closed

    def spawn(  # noqa: PLR0913 (the fields of Spawn)
        self,
        child: int,
        entry: str,
        args: dict[str, Any],
        *,
        title: str,
        orphan_grace: float,
        descriptors: Sequence[int],
        owns_children: bool = False,
        program: str = "",
        worker: int | None = None,
        nice: int = 0,
        limits: dict[str, int | None] | None = None,
    ) -> None:
        """Request a child. The reply is Spawned or SpawnFailed; the descriptors may be closed at once.

        `orphan_grace`: seconds that it may outlive this owner. `program`: if not empty, the fork server's
        first owner gets the child's output, as that of this program's `worker`, or of its consumer. Raises
        ValueError if there are too many descriptors.
        """
        if len(descriptors) > MAX_DESCRIPTORS:
            raise ValueError(f"{len(descriptors)} descriptors are more than {MAX_DESCRIPTORS}")
        frame = Spawn(
            child,
            entry,
            args,
            title,
            orphan_grace,
            len(descriptors),
            owns_children,
            program,
            worker,
            nice,
            limits or {},
        )
        self.channel.send(frame, descriptors)

    def kill(self, child: int, number: int, *, group: bool = True, tree: bool = False) -> None:
        """Request a signal to a child, its process group, or all its descendants."""
        self.channel.send(Kill(child, int(number), group, tree))

    def receive(self) -> list[FromZygote]:
        """Return its reports since the last call."""
        return [frame for frame in self.channel.receive() if isinstance(frame, FromZygote)]

    def receive_with_outputs(self) -> list[tuple[FromZygote, list[int]]]:
        """Return its reports from one read of the socket, with the descriptors of each Output.

        The caller must close them. There are fewer if this process cannot open more. Raises ValueError if
        descriptors came with another frame.
        """
        frames, descriptors = self.channel.receive_with_descriptors()
        if descriptors is not None:
            self._outputs.append(descriptors)
        reports = [
            (frame, self._outputs.popleft() if isinstance(frame, Output) and self._outputs else [])
            for frame in frames
            if isinstance(frame, FromZygote)
        ]
        if len(self._outputs) > 1:  # One set may belong to a frame that is not complete yet.
            for given in (*self._outputs, *(given for _, given in reports)):
                close_all(given)
            self._outputs.clear()
            raise ValueError("descriptors without an output")
        return reports

    def reap(self) -> int | None:
        """Return its exit status, if it is dead and was not reaped elsewhere."""
        if self._status is None and self._answerable:
            if self._process is not None:
                self._status = self._process.poll()
            else:
                try:
                    pid, status = os.waitpid(self.pid, os.WNOHANG)
                except ChildProcessError:
                    return None
                self._status = os.waitstatus_to_exitcode(status) if pid else None
        return self._status

    def wait(self, seconds: float) -> int | None:
        """Wait up to `seconds` for its exit status. Returns None if it is still alive."""
        deadline = time.monotonic() + seconds
        if not self._answerable:
            return None
        if hasattr(os, "pidfd_open"):
            try:
                descriptor = os.pidfd_open(self.pid)
            except OSError:
                return self.reap()
            select.select([descriptor], [], [], seconds)
            os.close(descriptor)
            return self.reap()
        while (status := self.reap()) is None and time.monotonic() < deadline:
            time.sleep(0.01)  # Without pidfds (macOS), there is no way to wait for one of several children.
        return status

    def kill_server(self) -> bool:
        """Send SIGKILL to the fork server only.

        Returns False if it is not a child of this process, or was reaped.
        """
        if not self._answerable or self._status is not None:
            return False
        try:
            os.kill(self.pid, signal.SIGKILL)  # Not reaped, so the pid is not reused.
        except OSError:
            return False
        return True

    def distrust(self) -> None:
        """Ignore what it sends from now on, and kill it."""
        self.distrusted = self.channel.closed = True
        self.kill_server()

    def close(self) -> None:
        """Give up ownership: it exits when its children have exited."""
        self.channel.close()


def _read_nothing() -> None:
    """Redirect standard input to /dev/null.

    A background read of a terminal would stop the process forever (SIGTTIN).
    """
    nowhere = os.open(os.devnull, os.O_RDONLY)
    if nowhere != 0:
        os.dup2(nowhere, 0)
        os.close(nowhere)
