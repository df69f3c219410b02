"""Writes lines to standard error and files, and passes them to followers of `logs`.

Each destination has a writer thread, so a paused terminal, a full disk or a slow pipe delays nothing else.
Lines that a destination does not accept in time are dropped, oldest first, and counted.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable

from squids.process.log_lines import Line, as_brief, as_journal, as_json, as_text
from squids.process.log_setup import is_journal
from squids.supervisor.output.log_files import LogWriter
from squids.supervisor.settings import AppSpec, LogFile

MAX_WAITING = 4 * 1024 * 1024
"""Characters buffered for one destination before the oldest lines are dropped."""

KEPT_LINES = 5000
KEPT_CHARACTERS = 4 * 1024 * 1024
"""Limits of the lines kept for `logs`."""

COMPLAIN_EVERY = 60.0
"""Seconds between two reports of trouble with a destination."""

FLUSH_SECONDS = 2.0
"""How long `close` waits for pending lines."""

Render = Callable[[Line], str]


class Sink:
    """One destination. `write` may block, and may raise OSError."""

    def __init__(
        self, name: str, write: Callable[[list[str]], None], complain: Callable[[str], None]
    ) -> None:
        self.name = name
        self.reopen: Callable[[], None] = lambda: None
        self._write = write
        self._complain = complain
        self._complained_at = 0.0
        self._waiting: deque[str] = deque()
        self._characters = 0
        self._busy = False
        self._closed = False
        self.lost = 0
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name=f"squids-log-{name}", daemon=True).start()

    def put(self, text: str) -> None:
        """Queue a line."""
        with self._changed:
            self._waiting.append(text)
            self._characters += len(text)
            while self._characters > MAX_WAITING and len(self._waiting) > 1:
                self._characters -= len(self._waiting.popleft())
                self.lost += 1
            self._changed.notify_all()

    def close(self) -> None:
        """Write pending lines, for a limited time, and stop."""
        deadline = time.monotonic() + FLUSH_SECONDS
        with self._changed:
            while (self._waiting or self._busy) and time.monotonic() < deadline:
                self._changed.wait(deadline - time.monotonic())
            self._closed = True
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                batch = list(self._waiting)
                self._waiting.clear()
                self._characters = 0
                lost, self.lost = self.lost, 0
                self._busy = True
            if lost:
                self._trouble(f"{self.name} is too slow; {lost} lines were dropped")
            try:
                self._write(batch)
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) else str(error)
                self._trouble(f"cannot write to {self.name}: {reason}: {len(batch)} lines were lost")

    def _trouble(self, text: str) -> None:
        now = time.monotonic()
        if now - self._complained_at >= COMPLAIN_EVERY or not self._complained_at:
            self._complained_at = now
            self._complain(text)


class LogOutput:
    """Passes all lines to all destinations. `trouble` gets a text, in any thread, if lines are lost."""

    def __init__(self, style: str | None, trouble: Callable[[str], None]) -> None:
        self._trouble = trouble
        self.use(style)
        self._stderr = Sink("standard error", _write_stderr, trouble)
        self._files: dict[str, Sink] = {}
        self._writers: dict[str, LogWriter] = {}
        self.kept: deque[Line] = deque()
        self._kept_characters = 0
        self.followers: set[Callable[[Line], None]] = set()

    def use(self, style: str | None) -> None:
        """Use this style: "text", "brief" or "json"; None chooses by standard error."""
        self._render = renderer(style)

    def line(self, line: Line, file: tuple[LogFile, AppSpec] | None = None) -> None:
        """Write a line to its program's file, or to standard error."""
        sink = self._stderr if file is None else self._file(*file)
        render = self._render if file is None else as_text
        if text := render(line):
            sink.put(text)
        self._keep(line)
        for follower in list(self.followers):
            follower(line)

    def reopen(self) -> None:
        """Reopen the files, which were moved."""
        for sink in self._files.values():
            sink.reopen()

    def close(self) -> None:
        for sink in (*self._files.values(), self._stderr):
            sink.close()

    def _file(self, file: LogFile, app_spec: AppSpec) -> Sink:
        sink = self._files.get(file.path)
        if sink is None:
            writer = self._writers[file.path] = LogWriter(file, app_spec)
            sink = self._files[file.path] = Sink(file.path, writer.write, self._trouble)
            sink.reopen = writer.reopen
        self._writers[file.path].use(file, app_spec)
        return sink

    def _keep(self, line: Line) -> None:
        self.kept.append(line)
        self._kept_characters += line.characters
        while len(self.kept) > KEPT_LINES or self._kept_characters > KEPT_CHARACTERS:
            self._kept_characters -= self.kept.popleft().characters


def renderer(style: str | None) -> Render:
    """Return the function that formats lines for standard error."""
    if style == "json":
        return as_json
    if style is None and is_journal():
        return as_journal
    colour = sys.stderr is not None and sys.stderr.isatty() and "NO_COLOR" not in os.environ
    text = as_brief if style == "brief" else as_text
    return lambda line: text(line, colour=colour)


def _write_stderr(texts: list[str]) -> None:
    data = "".join(f"{text}\n" for text in texts).encode("utf-8", "replace")
    while data:
        data = data[os.write(2, data) :]
