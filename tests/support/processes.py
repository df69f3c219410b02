"""The `squids` command as a real process, and what there is to know of it from outside."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.support import journal
from tests.support.journal import Journal
from tests.support.waiting import wait_until

MARKER = "SQUIDS_TEST_RUN"


APP = (
    journal.SOURCE
    + """
import os, sys, time
import squids

app = squids.App("tests")

@app.task("tests")
def work(name, seconds=0.0):
    note("start", name)
    time.sleep(seconds)
    note("done", name)

@app.task("tests")
def wait_for(name, path):
    note("start", name)
    while not os.path.exists(path):
        time.sleep(0.005)
    note("done", name)

@app.task("tests")
def fail(name, until=10**9):
    note("start", name)
    if squids.current_job().receive_count < until:
        raise ValueError(f"{name} fails")
    note("done", name)

@app.task("tests")
def die(name, status=3):
    note("start", name)
    if status < 0:
        os.kill(os.getpid(), -status)
        time.sleep(60)
    os._exit(status)

@app.task("tests")
def spawn_and_wait(name, path):
    import subprocess
    child = subprocess.Popen(["sleep", "600"])
    note("child", child.pid)
    wait_for.run(name, path)
"""
)


def call(task: str, *args: object, module: str = "shop", **kwargs: object) -> str:
    """The body of a message that calls a task of the test app."""
    return json.dumps({"task": f"{module}.{task}", "args": args, "kwargs": kwargs})


class SquidsProcess:
    """One run of `squids` in a directory of its own, with an app of its own."""

    def __init__(self, directory: Path, environment: dict[str, str], app: str = APP) -> None:
        self.directory = directory
        self.journal = Journal(directory / "journal")
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("AWS_")},
            "JOURNAL": str(self.journal.path),
            "PYTHONUNBUFFERED": "1",
            "SPT_NOENV": "1",  # setproctitle shall leave the environment, and with it our marker, alone.
            **environment,
        }
        (directory / "shop.py").write_text(app)
        self.command = [sys.executable, "-m", "squids", "--app", "shop.app"]
        """What starts it, but for the queue and the test's own arguments."""
        self.output: list[str] = []
        self._marker = uuid.uuid4().hex
        self.process: subprocess.Popen[str] | None = None

    def start(
        self, *arguments: str, queue: str = "tests", preexec: Callable[[], None] | None = None
    ) -> SquidsProcess:
        """Start it. Polls are short unless the test says how long: a stop waits for the one under way."""
        if "--polling-wait-time" not in arguments:
            arguments = ("--polling-wait-time", "1", *arguments)
        self.process = subprocess.Popen(
            [*self.command, "--queue", queue, *arguments],
            cwd=self.directory,
            env={**self.environment, MARKER: self._marker},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # A terminal that the tests run in would change what SIGHUP means.
            preexec_fn=preexec,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def _read(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line.rstrip("\n"))
        self.process.stdout.close()

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def text(self) -> str:
        return "\n".join(self.output)

    def actions(self, action: str) -> list[str]:
        """The log lines of this action."""
        return [line for line in self.output if re.search(rf"\baction={action}\b", line)]

    def wait_for(self, action: str, count: int = 1, seconds: float = 30.0) -> list[str]:
        """The log lines of this action, once there are so many."""
        return wait_until(
            lambda: lines if len(lines := self.actions(action)) >= count else [],
            seconds=seconds,
            what=lambda: f"{count} x action={action} in:\n{self.text}",
        )

    def ready(self) -> SquidsProcess:
        self.wait_for("ready")
        return self

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def insist(self, says: str = "killing") -> None:
        """Signal it until it says that it forces: what comes within a second of the first is the same stop."""

        def forces() -> bool:
            self.signal(signal.SIGTERM)
            return bool(self.actions(says))

        wait_until(forces, what=lambda: f"action={says} in:\n{self.text}")

    def wait(self, seconds: float = 40.0) -> int:
        """The exit status, and that nothing of this run is left."""
        assert self.process is not None
        status = self.process.wait(seconds)
        self._reader.join(10)
        return status

    def stop(self, seconds: float = 40.0) -> int:
        self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def processes(self) -> dict[int, str]:
        """All living processes of this run: pid and title."""
        return {pid: title for pid, (title, _) in self._seen().items()}

    def titled(self) -> dict[int, str]:
        """Those that have a title of their own: one that was just forked has its parent's for a moment."""
        seen = self._seen()
        return {pid: title for pid, (title, parent) in seen.items() if title != seen.get(parent, ("", 0))[0]}

    def _seen(self) -> dict[int, tuple[str, int]]:
        """All living processes of this run: pid, title and parent."""
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if f"{MARKER}={self._marker}".encode() not in (entry / "environ").read_bytes():
                        continue
                    title = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
                    state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
                except OSError:
                    continue  # It ended meanwhile, or is none of ours.
                if state != "Z":
                    found[int(entry.name)] = title, int(parent)
        return found

    def named(self, word: str) -> list[int]:
        """Pids whose title has this word: main, zygote, worker."""
        return [pid for pid, title in self.titled().items() if f" {word}" in title]

    def workers(self, count: int) -> list[int]:
        """The workers' pids, once there are so many: the first receive waits for none of them."""
        return wait_until(
            lambda: pids if len(pids := self.named("worker")) == count else [],
            what=lambda: f"{count} workers in {self.processes()}",
        )

    def nothing_left(self, seconds: float = 10.0) -> None:
        wait_until(
            lambda: not self.processes(),
            seconds=seconds,
            what=lambda: f"no process is left: {self.processes()}",
        )

    def close(self) -> None:
        """End what is left of this run, by pid."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.process is not None:
            self._reader.join(10)


def cpu_seconds(pids: Sequence[int]) -> float:
    """CPU time that these processes used so far."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
