"""`squids-supervisor` as a real process, with a file, an app and verbs of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import yaml

from tests.support.processes import APP, MARKER, SquidsProcess
from tests.support.saving import save
from tests.support.waiting import wait_until

COMMAND = [
    sys.executable,
    "-P",
    "-c",
    "import sys; from squids.cli.start import supervisor; sys.exit(supervisor())",
]

SILENT = (
    APP
    + """
import signal
from squids.process.protocol import Exited
from squids.process.zygote_main import Zygote

report = Zygote._report

def report_no_end(self, owner, frame):
    # What a SIGKILL between the wait for a consumer and the report of its end does. Its workers may be dead before.
    if isinstance(frame, Exited) and owner is self._first and os.path.exists("silent"):
        os.unlink("silent")
        os.kill(os.getpid(), signal.SIGKILL)
    report(self, owner, frame)

Zygote._report = report_no_end
"""
)
"""The app of a fork server that is killed between the wait for a consumer and the report of its end, once the file
`silent` is there."""


class SupervisorProcess(SquidsProcess):
    """One supervisor, in a directory of its own, that also holds its sockets."""

    def __init__(self, directory: Path, environment: dict[str, str], app: str = APP) -> None:
        # Short: a socket's path has 107 bytes at most.
        self._runtime = tempfile.mkdtemp(prefix="squids-")
        super().__init__(directory, {"XDG_RUNTIME_DIR": self._runtime, **environment}, app)
        self.file = directory / "squids.yaml"
        self.prefix: list[str] = []
        """A program, with its arguments, that executes the supervisor."""
        self.environment.pop("PYTHONUNBUFFERED", None)

    def write(self, queues: dict[str, Any], **top: Any) -> SupervisorProcess:
        """The configuration file. Polls are short, so that stops are quick."""
        defaults = {"workers": 1, "polling_wait_time": 1, **top.pop("defaults", {})}
        data = {"app": "shop:app", "defaults": defaults, **top, "queues": queues}
        self.file.write_text(yaml.safe_dump(data, sort_keys=False))
        return self

    def start(self, *arguments: str, **_: Any) -> SupervisorProcess:
        """Start it; it listens on its socket then."""
        self.launch(*arguments)
        self.wait_for("started")
        return self

    def launch(self, *arguments: str) -> SupervisorProcess:
        """Start it, whatever becomes of it."""
        self.output.clear()
        self.process = subprocess.Popen(
            [*self.prefix, *COMMAND, "-c", str(self.file), *arguments],
            cwd=self.directory,
            env={**self.environment, MARKER: self._marker},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # A terminal that the tests run in would change what SIGHUP means.
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def close(self) -> None:
        super().close()
        shutil.rmtree(self._runtime, ignore_errors=True)

    def up(self, *queues: str) -> SupervisorProcess:
        """Started, and these (or all) receive."""
        self.start()
        done = self.verb("wait", *queues, "--timeout", "30")
        assert done.returncode == 0, done.stdout + done.stderr + self.text
        return self

    @property
    def socket(self) -> str:
        """The control socket's path, as the log says it."""
        (line, *_) = self.actions("started")
        return line.rpartition("socket=")[2]

    def verb(self, *arguments: str, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run a verb to its end."""
        return subprocess.run(
            [*COMMAND, "-c", str(self.file), *arguments],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def open_verb(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a verb, and talk to its pipes."""
        return subprocess.Popen(
            [*COMMAND, "-c", str(self.file), *arguments],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def document(self, *arguments: str) -> dict[str, Any]:
        """What a verb says to programs: one JSON document."""
        done = self.verb(*arguments, "--json")
        found: dict[str, Any] = json.loads(done.stdout)
        assert found["code"] == done.returncode
        return found

    def status(self) -> dict[str, dict[str, Any]]:
        """Each program's entry, by name."""
        return {entry["name"]: entry for entry in self.document("status")["programs"]}

    def state(self, name: str) -> str:
        return str(self.status()[name]["state"])

    def pid_of(self, name: str) -> int:
        pid = self.status()[name]["pid"]
        assert isinstance(pid, int)
        return pid

    def until_state(self, name: str, *states: str, seconds: float = 30.0) -> dict[str, Any]:
        """The program's entry, once it is in one of these states."""
        last: dict[str, Any] = {}

        def there() -> bool:
            last.clear()
            last.update(self.status()[name])
            return last["state"] in states

        wait_until(there, seconds=seconds, what=lambda: f"{name} is {states}, and was {last}\n{self.text}")
        return last

    def why(self, name: str) -> dict[str, Any]:
        (answer,) = self.document("why", name)["answers"]
        return dict(answer)

    def zygotes(self) -> list[int]:
        return [pid for pid, title in self.titled().items() if title.startswith("squids: zygote")]

    def mains(self, name: str) -> list[int]:
        """The consumers of a program that are alive."""
        return [pid for pid, title in self.titled().items() if title == f"squids: {name} main"]

    def app(self, source: str) -> None:
        """Other code, on disk. Its modification time is a new one for sure."""
        path = self.directory / "shop.py"
        save(path, source, modified_ns=path.stat().st_mtime_ns + 2_000_000_000)
