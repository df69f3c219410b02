"""A command in a terminal of its own, which can be closed as a person closes a window."""

from __future__ import annotations

import os
import pty
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path


class Terminal:
    """A session whose controlling terminal is a new one, with one command in it."""

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

    def close(self) -> None:
        """Close the window."""
        if self._master >= 0:
            os.close(self._wake)
            self._reader.join()
            os.close(self._master)
            os.close(self._closing)
            self._master = -1
