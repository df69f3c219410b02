"""What a save costs until the first task on the new code, what 200 of them leave behind, what watching costs.

`python benchmarks/reload.py [--runs N] [--short]` prints a table. Files, processes and fauxqs are real.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.figures import Row, cpu_of, family, print_table, pss
from squids.supervisor.control.protocol import request, socket_of
from tests.support import servers
from tests.support.journal import whole_lines
from tests.support.waiting import wait_until

IMPORT_SECONDS = 0.3
"""How long the app takes to import, besides squids and boto3."""

CODE = """
import os, time
time.sleep({seconds})
import squids

VERSION = {version}
app = squids.App("bench")

@app.task("reload")
def note():
    descriptor = os.open(os.environ["BENCH_OUT"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{{VERSION}} {{time.monotonic()}}\\n".encode())
    os.close(descriptor)
"""


class Developer:
    """A supervisor with `--reload`, somebody who saves, and somebody who sends."""

    def __init__(self, url: str, directory: Path, *arguments: str) -> None:
        self.directory = directory
        self.url = url
        self.version = 0
        self.out = directory / "out.log"
        self.config = directory / "squids.yaml"
        self.config.write_text(
            "app: shop:app\nsupervisor: {log_level: WARNING}\n"
            "queues: {reload: {workers: 1, polling_wait_time: 2, log_level: WARNING}}\n"
        )
        self.save()
        os.environ["XDG_RUNTIME_DIR"] = str(directory)
        environment = {
            **os.environ,
            **servers.CREDENTIALS,
            "AWS_ENDPOINT_URL_SQS": url,
            "BENCH_OUT": str(self.out),
        }
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "squids.cli.supervise", "-c", str(self.config), *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
        )
        wait_until(lambda: self.status()["state"] == "running", what="the queue runs")

    def save(self) -> float:
        """Another version, renamed over the old one as editors do; when."""
        self.version += 1
        temporary = self.directory / ".shop.py.tmp"
        temporary.write_text(CODE.format(seconds=IMPORT_SECONDS, version=self.version))
        saved = time.monotonic()
        os.replace(temporary, self.directory / "shop.py")
        return saved

    def status(self) -> dict[str, Any]:
        """The queue's entry; nothing yet, if it does not answer yet."""
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(socket_of(str(self.config)))
                client.sendall(request("status", []))
                with client.makefile("rb") as lines:
                    answers = [json.loads(line) for line in lines]
        except OSError:
            return {"state": None}
        entry: dict[str, Any] = next(a["programs"][0] for a in answers if a["type"] == "status")
        return entry

    def handed_over(self) -> bool:
        """Whether the newest code runs, and nothing else."""
        first = self.first_tasks().get(self.version)
        return first is not None and not self.status()["leaving"]

    def first_tasks(self) -> dict[int, float]:
        """When each version ran its first task."""
        found: dict[int, float] = {}
        for line in whole_lines(self.out):
            version, at = line.split()
            found.setdefault(int(version), float(at))
        return found

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


@contextmanager
def sending(url: str, pause: float) -> Iterator[None]:
    """A message each `pause` seconds."""
    client = servers.client(url)
    queue = client.get_queue_url(QueueName="reload")["QueueUrl"]
    body = json.dumps({"task": "shop.note", "args": [], "kwargs": {}})
    stop = threading.Event()

    def send() -> None:
        while not stop.wait(pause):
            client.send_message(QueueUrl=queue, MessageBody=body)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        client.close()


@contextmanager
def developer(url: str, *arguments: str) -> Iterator[Developer]:
    """It works, and stops."""
    with tempfile.TemporaryDirectory(prefix="squids-bench-") as directory:
        working = Developer(url, Path(directory), *arguments)
        try:
            yield working
        finally:
            working.stop()


def save_to_task(url: str, saves: int) -> list[Row]:
    """One save after the other, each when the one before is all over."""
    times = []
    with developer(url, "--reload") as working, sending(url, 0.01):
        for _ in range(saves):
            wait_until(working.handed_over, what="the newest code runs")
            saved = working.save()
            wait_until(lambda: working.version in working.first_tasks(), what="a task on the new code")
            times.append(working.first_tasks()[working.version] - saved)
    median = statistics.median(times)
    return [
        Row("from a save to the first task on the new code", "<= 1 s", f"{median:.2f} s", median <= 1),
        Row("the slowest of them", "", f"{max(times):.2f} s"),
    ]


def leaks(url: str, reloads: int) -> list[Row]:
    """What is there after 20 reloads, and after so many more."""
    with developer(url, "--reload") as working, sending(url, 0.05):

        def after(count: int) -> tuple[float, float, int, int]:
            for _ in range(count):
                working.save()
                wait_until(working.handed_over, what="the newest code runs")
            time.sleep(2.0)  # What ends takes a moment to be gone.
            pids = family(working.process.pid)
            own = working.process.pid
            descriptors = len(os.listdir(f"/proc/{own}/fd"))
            return pss([own]), pss(pids), descriptors, len(pids)

        first, last = after(20), after(reloads)
    own = last[0] / first[0]
    return [
        Row(
            f"supervisor's memory after {reloads} more reloads",
            "<= x 1.05",
            f"x {own:.3f} of {first[0]:.1f} MB",
            own <= 1.05,
        ),
        Row("memory of all processes", "", f"x {last[1] / first[1]:.3f} of {first[1]:.0f} MB"),
        Row("supervisor's descriptors", f"{first[2]}", f"{last[2]}", last[2] <= first[2]),
        Row("processes", f"{first[3]}", f"{last[3]}", last[3] == first[3]),
    ]


def watching(url: str, files: int, seconds: float, runs: int) -> list[Row]:
    """A tree of so many files, in which nothing happens."""
    shares = []
    for arguments in (["--reload"], []):
        with tempfile.TemporaryDirectory(prefix="squids-bench-") as name:
            directory = Path(name)
            for number in range(files):
                path = directory / f"package{number // 100}" / f"module{number}.py"
                path.parent.mkdir(exist_ok=True)
                path.write_text("x = 1\n")
            working = Developer(url, directory, *arguments)
            try:
                time.sleep(3.0)
                seen = []
                for _ in range(runs):
                    before, began = cpu_of([working.process.pid]), time.monotonic()
                    time.sleep(seconds)
                    seen.append((cpu_of([working.process.pid]) - before) / (time.monotonic() - began))
                shares.append(statistics.median(seen))
            finally:
                working.stop()
    share = shares[0]
    return [
        Row(
            f"idle supervisor that watches {files} files",
            "<= 0.5 % of a core",
            f"{share:.2%} ({shares[1]:.2%} without --reload)",
            share <= 0.005,
        )
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--short", action="store_true", help="few saves: to see that it works")
    arguments = parser.parse_args()
    with servers.fauxqs() as url:
        client = servers.client(url)
        client.create_queue(QueueName="reload")
        client.close()
        if arguments.short:
            rows = save_to_task(url, 3) + leaks(url, 3) + watching(url, 2000, 3.0, 1)
        else:
            rows = save_to_task(url, 10 * arguments.runs) + leaks(url, 200)
            rows += watching(url, 20_000, 20.0, arguments.runs)
    print_table(rows, arguments.runs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
