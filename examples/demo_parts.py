"""What the demo is made of: the local SQS server, the consumers as child processes, and the account of
what was sent and what was done."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

WIDTH = 79
INTERESTING = re.compile(
    r"action=(ready|task_failed|worker_died|worker_restarted|degraded|healed|died|backoff|imported|stopped)\b"
)


class Stopped(BaseException):
    """A person or a system asked the demo to stop."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.name = signal.Signals(number).name


def shorten(text: str) -> str:
    """`text`, cut to fit in a line of 80 columns."""
    return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."


def isolate_environment() -> None:
    """Change the environment so that nothing here can reach a real AWS account, whatever this machine has."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(
        AWS_ACCESS_KEY_ID="demo",
        AWS_SECRET_ACCESS_KEY="demo",
        AWS_DEFAULT_REGION="eu-west-1",
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
        NO_PROXY="127.0.0.1",
        no_proxy="127.0.0.1",
    )


class LocalSQS:
    """moto's server as a child, on a free port of the loopback interface."""

    def __init__(self, log: Path) -> None:
        command = [sys.executable, "-u", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
        self._output = log.open("w+b")
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self._output, stderr=subprocess.STDOUT, process_group=0
        )
        self.url = self._wait_for_url(log)
        import boto3  # the server is up by now; importing takes a second

        self._client = boto3.client("sqs", endpoint_url=self.url)

    def _wait_for_url(self, log: Path) -> str:
        while True:
            try:
                code: int | None = self._process.wait(timeout=0.05)
            except subprocess.TimeoutExpired:
                code = None
            if found := re.search(r"Running on (http://127\.0\.0\.1:\d+)", log.read_text()):
                return found[1]
            if code is not None:
                raise SystemExit(f"The local SQS server did not start (exit code {code}):\n{log.read_text()}")

    def create_queue(self, name: str) -> None:
        """Make a queue; one whose name ends in .fifo is FIFO."""
        self._client.create_queue(
            QueueName=name, Attributes={"FifoQueue": "true"} if name.endswith(".fifo") else {}
        )

    def messages_left(self, name: str) -> int:
        """How many messages a queue still has: visible, in flight or delayed."""
        url = self._client.get_queue_url(QueueName=name)["QueueUrl"]
        attributes = self._client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        kinds = ("", "NotVisible", "Delayed")
        return sum(int(attributes.get(f"ApproximateNumberOfMessages{kind}", 0)) for kind in kinds)

    def stop(self) -> None:
        """End the server."""
        self._process.terminate()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._output.close()


class Supervisor:
    """`squids-supervisor` as a child process, with its log in a file.

    It is in a process group of its own, so that Ctrl-C reaches the demo alone, which then stops it.
    """

    def __init__(self, config: Path, log: Path) -> None:
        self._command = [sys.executable, "-m", "squids.cli.supervise", "-c", str(config)]
        self.command_line = shlex.join(
            ["squids-supervisor", "-c", str(config.relative_to(config.parents[1]))]
        )
        self._asked = False
        self._output = log.open("w+b")
        self._lines = log.open("r", errors="replace")
        # Root may run this in a checkout of another user, as in a container.
        trust = ["--trust-files"] if os.geteuid() == 0 else []
        self._process = subprocess.Popen(
            [*self._command, *trust],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            process_group=0,
        )

    def ask(self, *verb: str) -> str:
        """What a verb prints."""
        done = subprocess.run(
            [*self._command, *verb], capture_output=True, text=True, timeout=60, check=False
        )
        return done.stdout.strip()

    def new_log_lines(self) -> list[str]:
        """What has been logged since the last call and a person would want to see."""
        lines = []
        while line := self._lines.readline():
            if INTERESTING.search(line):
                # Without the date, which is today's, and the fields, which are for programs.
                shown = re.sub(r"^\S+ \S+ +(\w+) +(\S+?)( supervisor)?: (.*?) action=.*", _line, line.strip())
                lines.append(shown)
        return lines

    def exit_code(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._process.poll()

    def stop(self) -> int:
        """Have it drain all queues and leave. Returns its exit code."""
        if not self._asked and self._process.poll() is None:
            self._process.terminate()
        self._asked = True
        try:
            code = self._process.wait(timeout=90)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._output.close()
        self._lines.close()
        return code


def _line(match: re.Match[str]) -> str:
    level, source, supervisor, text = match.groups()
    who = f"{source}, its supervisor" if supervisor else source
    return f"{who:>24} | {text}" if level == "INFO" else f"{who:>24} | {level}: {text}"


@dataclass(frozen=True)
class Entry:
    """One line of the shop's journal: work that started, was done, or failed."""

    at: float
    event: str
    queue: str
    key: str
    pid: int


class Journal:
    """What the workers wrote about their work, read as it grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.touch()
        self._file = path.open()
        self.entries: list[Entry] = []
        self.done: set[tuple[str, str]] = set()

    def read(self) -> None:
        """Take in the lines that are new."""
        while True:
            place = self._file.tell()
            line = self._file.readline()
            if not line.endswith("\n"):
                self._file.seek(place)
                return
            entry = Entry(**json.loads(line))
            self.entries.append(entry)
            if entry.event == "done":
                self.done.add((entry.queue, entry.key))

    def running(self, queue: str, key: str) -> int | None:
        """The pid of the worker that runs this work now, or None."""
        mine = [entry for entry in self.entries if (entry.queue, entry.key) == (queue, key)]
        return mine[-1].pid if mine and mine[-1].event == "start" else None


@dataclass
class Work:
    """All that was sent, in order of sending."""

    keys: list[tuple[str, str]] = field(default_factory=list)

    def sent(self, queue: str, key: str) -> None:
        """Note that SQS has this work."""
        self.keys.append((queue, key))

    @property
    def queues(self) -> list[str]:
        """The queues, in the order of first use."""
        return list(dict.fromkeys(queue for queue, _ in self.keys))

    def progress(self, queue: str, journal: Journal) -> tuple[int, int]:
        """How much of a queue's work is done, and how much there is."""
        keys = [key for key in self.keys if key[0] == queue]
        return sum(key in journal.done for key in keys), len(keys)

    def missing(self, journal: Journal) -> list[tuple[str, str]]:
        """What was sent and has not been run to its end."""
        return [key for key in self.keys if key not in journal.done]

    def is_done(self, journal: Journal) -> bool:
        """Whether all that was sent has been run to its end."""
        return not self.missing(journal)

    def in_order(self, queue: str, journal: Journal, steps: tuple[str, ...]) -> bool:
        """Whether each group's steps were done in order (a step that ran twice counts where it ran first)."""
        seen: dict[str, list[str]] = {}
        for entry in journal.entries:
            if entry.queue == queue and entry.event == "done":
                group, step = entry.key.split("/")
                if step not in seen.setdefault(group, []):
                    seen[group].append(step)
        return all(tuple(order) == steps for order in seen.values())


def summary(work: Work, journal: Journal, left: dict[str, int]) -> list[str]:
    """The table at the end, one line for each queue."""
    heads = ("queue", "sent", "done", "left", "failed", "killed", "workers", "seconds")
    rows = [heads]
    for queue in work.queues:
        entries = [entry for entry in journal.entries if entry.queue == queue]
        events = Counter(entry.event for entry in entries)
        done, total = work.progress(queue, journal)
        took = entries[-1].at - entries[0].at if entries else 0.0
        rows.append(
            (
                queue,
                str(total),
                str(done),
                str(left[queue]),
                str(events["failed"]),
                str(events["start"] - events["done"] - events["failed"]),
                str(len({entry.pid for entry in entries})),
                f"{took:.1f}",
            )
        )
    return [f"  {row[0]:<12}" + "".join(f"{cell:>8}" for cell in row[1:]) for row in rows]
