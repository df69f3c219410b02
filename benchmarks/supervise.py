"""What the supervisor costs: many queues of one app, on fauxqs, with real processes.

`python benchmarks/supervise.py [--queues N] [--runs N] [--short]` prints a table of medians. Memory is PSS:
what processes share is divided among them.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.figures import Row, cpu_of, family, print_table, pss, title, wake_ups
from squids.supervisor.control.protocol import request, socket_of
from tests.support import servers

APP_DIRECTORY = Path(__file__).resolve().parent
COMMAND = [sys.executable, "-m", "squids.cli.supervise"]
DEADLINE = 180.0


class Fleet:
    """A supervisor of so many queues of one app, and of others (`down`) that are not started."""

    def __init__(
        self, url: str, queues: int, directory: Path, *, preload: bool = True, down: int = 0
    ) -> None:
        self.config = directory / "bench.yaml"
        names = "".join(f"  bench{number}: {{}}\n" for number in range(queues))
        names += "".join(f"  down{number}: {{autostart: false}}\n" for number in range(down))
        self.config.write_text(
            f"app: bench_app:app\ndirectory: {json.dumps(str(APP_DIRECTORY))}\n"
            "supervisor: {log_level: WARNING}\n"
            f"defaults:\n  {{workers: 1, polling_wait_time: 20, preload: {json.dumps(preload)},"
            " log_level: WARNING, shutdown_timeout: 1, backoff: {first: 100ms, jitter: 0}}\n"
            f"queues:\n{names}"
        )
        self.environment = {
            **os.environ,
            **servers.CREDENTIALS,
            "AWS_ENDPOINT_URL_SQS": url,
            "XDG_RUNTIME_DIR": str(directory),
        }
        os.environ["XDG_RUNTIME_DIR"] = str(directory)
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [*COMMAND, "-c", str(self.config)],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def ask(self, verb: str, *queues: str, **options: Any) -> list[dict[str, Any]]:
        """All answers of one request."""
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(socket_of(str(self.config)))
            client.sendall(request(verb, list(queues), **options))
            with client.makefile("rb") as lines:
                return [json.loads(line) for line in lines]

    def wait_running(self) -> float:
        """Seconds from the start until all queues that are started are RUNNING."""
        while True:
            try:
                answers = self.ask("wait", "bench*", timeout=DEADLINE)
            except OSError:
                if time.monotonic() - self.started > DEADLINE:
                    raise
                time.sleep(0.01)
                continue
            if answers[-1]["code"] != 0:
                raise SystemExit(f"not all queues came up: {answers[-1]}")
            return time.monotonic() - self.started

    def status(self) -> list[dict[str, Any]]:
        return next(a["programs"] for a in self.ask("status") if a["type"] == "status")

    def idle(self, seconds: float) -> tuple[float, float]:
        """The supervisor's part of a core, and its wake-ups a second."""
        pid, began = self.process.pid, time.monotonic()
        cpu, wakes = cpu_of([pid]), wake_ups(pid)
        time.sleep(seconds)
        took = time.monotonic() - began
        return (cpu_of([pid]) - cpu) / took, (wake_ups(pid) - wakes) / took

    def consumer_comes_back(self, name: str) -> float:
        """Seconds from the SIGKILL of a consumer until its queue is RUNNING again, less its backoff."""
        pid = self._entry(name)["pid"]
        began = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        while self._entry(name)["pid"] in (pid, None):
            time.sleep(0.002)
        self.ask("wait", name, timeout=DEADLINE)
        return time.monotonic() - began - BACKOFF

    def worker_comes_back(self, name: str) -> float:
        """Seconds from the SIGKILL of a worker until another waits for jobs."""
        named = f"squids: {name} worker 1"
        (pid,) = [pid for pid in family(self.process.pid) if title(pid) == named]
        began = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        while not [other for other in family(self.process.pid) if title(other) == named and other != pid]:
            pass
        return time.monotonic() - began

    def status_time(self, times: int) -> float:
        """CPU seconds of the supervisor for one status, all its threads together."""
        before = cpu_of([self.process.pid])
        for _ in range(times):
            self.status()
        return (cpu_of([self.process.pid]) - before) / times

    def client_time(self) -> float:
        """Seconds that the command `status` takes."""
        began = time.monotonic()
        subprocess.run(
            [*COMMAND, "-c", str(self.config), "status"],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        return time.monotonic() - began

    def _entry(self, name: str) -> dict[str, Any]:
        return next(a["programs"][0] for a in self.ask("status", name) if a["type"] == "status")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(DEADLINE)


BACKOFF = 0.1
"""Seconds: of the first restart, without jitter."""


@contextmanager
def fleet(url: str, queues: int, *, preload: bool = True, down: int = 0) -> Iterator[Fleet]:
    """A supervisor that runs, and is stopped after."""
    with tempfile.TemporaryDirectory(prefix="squids-bench-") as directory:
        running = Fleet(url, queues, Path(directory), preload=preload, down=down)
        try:
            yield running
        finally:
            running.stop()


def measure(url: str, queues: int, runs: int, idle_seconds: float, fresh_queues: int, down: int) -> list[Row]:
    """All rows."""
    seen: dict[str, list[float]] = {}

    def note(what: str, value: float) -> None:
        seen.setdefault(what, []).append(value)

    for _ in range(runs):
        with fleet(url, queues) as running:
            note("start", running.wait_running())
            time.sleep(2.0)
            note("memory", pss(family(running.process.pid)))
            cpu, wakes = running.idle(idle_seconds)
            note("cpu", cpu)
            note("wakes", wakes)
            note("first status", running.status_time(1))
            note("status", running.status_time(10))
            note("client", running.client_time())
            note("consumer", running.consumer_comes_back("bench1"))
            note("worker", running.worker_comes_back("bench2"))
    for _ in range(runs):
        with fleet(url, fresh_queues, preload=False) as running:
            note("fresh start", running.wait_running())
            time.sleep(2.0)
            note("fresh memory", pss(family(running.process.pid)))
    for _ in range(runs):
        with fleet(url, 1, down=down) as running:
            note("many start", running.wait_running())
            time.sleep(2.0)
            note("many memory", pss([running.process.pid]))
            note("many cpu", running.idle(idle_seconds)[0])
            running.status_time(1)
            note("many status", running.status_time(5))
            note("many client", running.client_time())
    median = {what: statistics.median(values) for what, values in seen.items()}

    def row(what: str, key: str, unit: str, scale: float, most: float) -> Row:
        value = median[key] * scale
        return Row(what, f"<= {most:g} {unit}", f"{value:.3g} {unit}", value <= most)

    part = queues / 100
    return [
        row(f"{queues} queues x 1 worker: all RUNNING after", "start", "s", 1, 5),
        row(f"{queues} queues x 1 worker: memory of all processes", "memory", "MB", 1, 600 * part),
        row("idle supervisor, part of a core", "cpu", "%", 100, 1),
        Row("idle supervisor, wake-ups a second", "", f"{median['wakes']:.3g}"),
        row("a killed consumer receives again after (less its backoff)", "consumer", "ms", 1000, 300),
        row("a killed worker is replaced after", "worker", "ms", 1000, 300),
        Row("the first status, time of the supervisor", "", f"{median['first status'] * 1000:.3g} ms"),
        row("a status within ten seconds of another", "status", "ms", 1000, 100),
        row("the command `status`, start to end", "client", "ms", 1000, 250),
        Row(
            f"preload: false, {fresh_queues} queues: all RUNNING after", "", f"{median['fresh start']:.3g} s"
        ),
        Row(f"preload: false, {fresh_queues} queues: memory", "", f"{median['fresh memory']:.4g} MB"),
        Row(f"a file of {down} more queues: the first is RUNNING after", "", f"{median['many start']:.3g} s"),
        Row("- memory of the supervisor alone", "", f"{median['many memory']:.3g} MB"),
        Row("- idle, part of a core", "", f"{median['many cpu'] * 100:.2g} %"),
        Row("- a status, time of the supervisor", "", f"{median['many status'] * 1000:.3g} ms"),
        Row("- the command `status`, start to end", "", f"{median['many client'] * 1000:.3g} ms"),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queues", type=int, default=100)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--short", action="store_true", help="ten queues, one run: to see that it works")
    arguments = parser.parse_args()
    queues, runs, idle, fresh, down = arguments.queues, arguments.runs, 20.0, 10, 2000
    if arguments.short:
        queues, runs, idle, fresh, down = 10, 1, 3.0, 2, 2000
    with servers.fauxqs() as url:
        client = servers.client(url)
        for number in range(queues):
            client.create_queue(QueueName=f"bench{number}")
        client.close()
        rows = measure(url, queues, runs, idle, fresh, down)
    print_table(rows, runs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
