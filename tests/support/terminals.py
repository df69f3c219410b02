"""A command in a terminal of its own, which can be closed as a person closes a window."""

from __future__ import annotations

import os
import pty
import re
import signal
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.waiting import wait_until


class Terminal:
    """A session whose controlling terminal is a new one, with one command in it, and who sits before it."""

    _read_to = 0

    def __init__(self, command: Sequence[str], directory: Path, environment: Mapping[str, str]) -> None:
        self.text = ""
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            try:
                os.chdir(directory)
                os.execvpe(command[0], list(command), dict(environment))
            finally:
                os._exit(127)
        self._closing, wake = os.pipe()
        self._wake = wake
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        import select

        poll = select.poll()
        poll.register(self._master, select.POLLIN)
        poll.register(self._closing, select.POLLIN | select.POLLHUP)
        while not any(descriptor == self._closing for descriptor, _ in poll.poll()):
            try:
                data = os.read(self._master, 65536)
            except OSError:
                return  # All that had it open have ended.
            self.text += data.decode(errors="replace")

    def until(self, pattern: str) -> None:
        """Read on until this is there."""
        found = wait_until(
            lambda: re.search(pattern, self.text[self._read_to :]),
            what=lambda: f"{pattern} in:\n{self.text}",
        )
        self._read_to += found.end()

    def types(self, text: str) -> None:
        os.write(self._master, text.encode())

    def status(self) -> int:
        """The exit status, once it has ended."""
        statuses: list[int] = []

        def over() -> bool:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                statuses.append(os.waitstatus_to_exitcode(status))
            return bool(pid)

        wait_until(over, seconds=40, what=lambda: f"it has ended:\n{self.text}")
        return statuses[0]

    def kill(self) -> None:
        """Close the window, and kill the command if the test has not seen its end."""
        self.close()
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass

    def close(self) -> None:
        """Close the window."""
        if self._master >= 0:
            os.close(self._wake)
            self._reader.join()
            os.close(self._master)
            os.close(self._closing)
            self._master = -1
