"""The zygote as its owner sees it. What runs in it is in `zygote_main`."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from typing import Any

from squids.process.channel import MAX_DESCRIPTORS, Channel
from squids.process.child import leave, set_title
from squids.process.protocol import Exited, Kill, Spawn, Spawned, SpawnFailed
from squids.process.zygote_main import Zygote, interpreter_of


class ZygoteHandle:
    """A running fork server, and the socket to it."""

    def __init__(self, pid: int, sock: socket.socket, process: subprocess.Popen[bytes] | None = None) -> None:
        self.pid = pid
        self.channel = Channel(sock)
        self._process = process
        self._status: int | None = None

    @classmethod
    def fork(cls, preloaded: Any, title: str) -> ZygoteHandle:
        """Fork it from this process, which has one thread and has imported what children share."""
        ours, theirs = socket.socketpair()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            theirs.close()
            return cls(pid, ours)
        code = 1
        try:
            ours.close()
            os.setpgid(0, 0)  # Out of the terminal's foreground group: Ctrl-C is for the main process.
            _read_nothing()
            set_title(title)
            Zygote(theirs, preloaded, None).serve()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            leave(code)

    @classmethod
    def exec(cls, preload_entry: str, preload_args: dict[str, Any], title: str) -> ZygoteHandle:
        """Start it as a fresh interpreter, whose children are fresh interpreters too."""
        ours, theirs = socket.socketpair()
        spec = {
            "path": sys.path,
            "title": title,
            "preload_entry": preload_entry,
            "preload_args": preload_args,
            "descriptor": theirs.fileno(),
        }
        command = interpreter_of("squids.process.zygote_main", spec)
        process = subprocess.Popen(
            command, pass_fds=[theirs.fileno()], process_group=0, stdin=subprocess.DEVNULL
        )
        theirs.close()
        return cls(process.pid, ours, process)

    @property
    def gone(self) -> bool:
        """Its socket ended: it is dead, or as good as dead."""
        return self.channel.closed

    def spawn(
        self,
        child: int,
        entry: str,
        args: dict[str, Any],
        *,
        title: str,
        orphan_grace: float,
        descriptors: Sequence[int],
        owns_children: bool = False,
    ) -> None:
        """Ask for a child. The answer is Spawned or SpawnFailed; the descriptors may be closed at once.

        `orphan_grace`: seconds that it may outlive this owner. ValueError: more descriptors than can be sent.
        """
        if len(descriptors) > MAX_DESCRIPTORS:
            raise ValueError(f"{len(descriptors)} descriptors are more than {MAX_DESCRIPTORS}")
        frame = Spawn(child, entry, args, title, orphan_grace, len(descriptors), owns_children)
        self.channel.send(frame, descriptors)

    def kill(self, child: int, number: int, *, group: bool = True) -> None:
        """Ask for a signal to a child."""
        self.channel.send(Kill(child, int(number), group))

    def receive(self) -> list[Spawned | SpawnFailed | Exited]:
        """What it reported since."""
        return [
            frame for frame in self.channel.receive() if isinstance(frame, Spawned | SpawnFailed | Exited)
        ]

    def reap(self) -> int | None:
        """Its exit status, if it is dead and was not reaped by somebody else."""
        if self._status is None:
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
        """Its exit status, waited for up to so many seconds; None if it still lives."""
        deadline = time.monotonic() + seconds
        if hasattr(os, "pidfd_open"):
            try:
                descriptor = os.pidfd_open(self.pid)
            except OSError:
                return self.reap()
            select.select([descriptor], [], [], seconds)
            os.close(descriptor)
            return self.reap()
        while (status := self.reap()) is None and time.monotonic() < deadline:
            time.sleep(0.01)  # Without pidfds (macOS) nothing else tells of one process among many.
        return status

    def close(self) -> None:
        """Be its owner no longer: it leaves when its children have left."""
        self.channel.close()


def _read_nothing() -> None:
    """Standard input from nowhere: who reads a terminal in the background is stopped (SIGTTIN), for ever."""
    nowhere = os.open(os.devnull, os.O_RDONLY)
    if nowhere != 0:
        os.dup2(nowhere, 0)
        os.close(nowhere)
