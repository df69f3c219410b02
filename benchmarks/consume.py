"""What a pooled consumer costs, as multiples of a floor that is measured in the same run.

`python benchmarks/consume.py [--short] [--only NAME ...] [--check]`. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import boto3  # noqa: E402

from benchmarks.figures import Row, cpu_of, family, print_table, pss  # noqa: E402
from tests.support import servers  # noqa: E402
from tests.support.journal import whole_lines  # noqa: E402
from tests.support.waiting import wait_until  # noqa: E402

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class Bench:
    """A server, and what is asked of it."""

    def __init__(self, url: str, messages: int, runs: int) -> None:
        self.url, self.messages, self.runs = url, messages, runs
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("AWS_")},
            **CREDENTIALS,
            "AWS_ENDPOINT_URL_SQS": url,
            "PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parent}",
        }
        self.client = boto3.client(
            "sqs",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id="bench",
            aws_secret_access_key="bench",
        )
        self._queues = 0

    def queue(self, task: str = "noop", count: int = 0, *args: Any) -> tuple[str, str]:
        """A new queue with so many calls of a task in it: its name and URL."""
        self._queues += 1
        name = f"bench-{os.getpid()}-{self._queues}"
        url = self.client.create_queue(QueueName=name)["QueueUrl"]
        for first in range(0, count, 10):
            numbers = range(first, min(first + 10, count))
            entries = [{"Id": str(n), "MessageBody": body(task, n, *args)} for n in numbers]
            self.client.send_message_batch(QueueUrl=url, Entries=entries)
        return name, url

    def left(self, url: str) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(answer[name]) for name in names)

    def calls(self) -> dict[str, int]:
        with urllib.request.urlopen(f"{self.url}/calls") as answer:
            counts: dict[str, int] = json.load(answer)
        return counts

    def cpu(self, *command: str) -> float:
        """CPU seconds of a command and all below it."""
        done = subprocess.run(
            [sys.executable, str(HERE / "measured.py"), *command],
            env=self.environment,
            cwd=HERE,
            capture_output=True,
            text=True,
            check=True,
        )
        answer = json.loads(done.stdout.splitlines()[-1])
        if answer["status"]:
            raise SystemExit(f"{' '.join(command)} ended with {answer['status']}:\n{done.stderr}")
        return float(answer["cpu"])

    def squids(self, name: str, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "squids", "--queue", name, "--app", "bench_app.app", *arguments]

    @contextmanager
    def running(self, command: list[str], **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """A command that is stopped afterwards."""
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(
                command, env={**self.environment, **environment}, cwd=HERE, stderr=log, process_group=0
            )
            try:
                yield process
            finally:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def body(task: str, *args: Any) -> str:
    return json.dumps({"task": f"bench_app.{task}", "args": args, "kwargs": {}})


def throughput(bench: Bench) -> list[Row]:
    """CPU for each no-op task, API calls for each task, on a deep queue; start-up taken off."""
    settings = [
        ("8 workers", ["--workers", "8"], 1.6, 0.25),
        ("2 workers", ["--workers", "2"], 3.0, None),
        ("2 workers, --prefetch 20", ["--workers", "2", "--prefetch", "20"], 1.4, None),
    ]
    ratios: dict[str, list[float]] = {name: [] for name, *_ in settings}
    calls: dict[str, list[float]] = {name: [] for name, *_ in settings}
    lost = 0
    for _ in range(bench.runs):
        floor = per_task(bench, lambda name, url: [sys.executable, "floor.py", url])[0]
        for name, arguments, *_ in settings:
            ours, left, asked = per_task(
                bench,
                lambda queue, _url, extra=arguments: bench.squids(
                    queue, "--exit-when-empty", "--polling-wait-time", "1", *extra
                ),
            )
            ratios[name].append(ours / floor)
            calls[name].append(asked / bench.messages)
            lost += left
    rows = []
    for name, _, most, most_calls in settings:
        ratio = statistics.median(ratios[name])
        rows.append(Row(f"CPU a no-op task, {name}", f"<= {most} x floor", f"{ratio:.2f}", ratio <= most))
        median_calls = statistics.median(calls[name])
        target = f"<= {most_calls}" if most_calls else "-"
        rows.append(
            Row(f"API calls a task, {name}", target, f"{median_calls:.3f}", median_calls <= (most_calls or 9))
        )
    rows.append(Row("messages left after all runs", "0", str(lost), lost == 0))
    return rows


def per_task(bench: Bench, command: Callable[[str, str], list[str]]) -> tuple[float, int, int]:
    """CPU seconds a task, without the start; messages left; receives and settle calls made."""
    empty = bench.cpu(*command(*bench.queue()))
    name, url = bench.queue("noop", bench.messages)
    before = sum(bench.calls().values())
    full = bench.cpu(*command(name, url))
    asked = sum(bench.calls().values()) - before
    return (full - empty) / bench.messages, bench.left(url), asked


def once(bench: Bench) -> list[Row]:
    """Each message of a deep queue runs once."""
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "out"
        count = min(bench.messages, 1000)
        name, url = bench.queue("arrive", count)
        bench.environment["BENCH_OUT"] = str(out)
        bench.cpu(*bench.squids(name, "--workers", "8", "--exit-when-empty", "--polling-wait-time", "1"))
        ran = len(whole_lines(out))
        return [Row("tasks run more than once", "0", str(ran - count), ran == count and not bench.left(url))]


def busy(bench: Bench) -> list[Row]:
    """How busy 8 workers are with tasks of 50 ms, when SQS takes 5 ms to answer."""
    with tempfile.TemporaryDirectory() as directory, servers.fauxqs(latency=0.005) as url:
        slow = Bench(url, bench.messages, 1)
        out = Path(directory) / "out"
        name, queue_url = slow.queue("wait", 1600, 0.05)
        arguments = ["--workers", "8", "--exit-when-empty", "--polling-wait-time", "1"]
        with slow.running(slow.squids(name, *arguments), BENCH_OUT=str(out)) as process:
            process.wait(120)
        spans = [tuple(map(float, line.split()[:2])) for line in whole_lines(out)]
        # Between the first tenth and the last: starting and running dry are not what is asked for.
        starts = sorted(start for start, _ in spans)
        begin, end = starts[len(starts) // 10], starts[-len(starts) // 10]
        worked = sum(max(0.0, min(e, end) - max(s, begin)) for s, e in spans)
        share = worked / (8 * (end - begin))
        left = slow.left(queue_url)
        return [
            Row(
                "busy: 8 workers, 50 ms tasks, 5 ms to SQS",
                ">= 95 %",
                f"{share:.1%}",
                share >= 0.95 and not left,
            )
        ]


def idle(bench: Bench) -> list[Row]:
    """CPU and memory with nothing to do."""
    name, url = bench.queue()
    with bench.running([sys.executable, "floor.py", url, "idle"]) as process:
        wait_until(lambda: bench.calls().get("ReceiveMessage", 0) > 0)
        time.sleep(2)
        floor = pss([process.pid])
    seconds = 20 if bench.runs > 1 else 6
    with bench.running(bench.squids(name, "--workers", "8", "--polling-wait-time", "20")) as process:
        wait_until(lambda: len(family(process.pid)) == 10, what="8 workers, a zygote and a main process")
        time.sleep(2)
        pids = family(process.pid)
        memory = pss(pids)
        before, started = cpu_of(pids), time.monotonic()
        time.sleep(seconds)
        share = (cpu_of(pids) - before) / (time.monotonic() - started)
    ratio = memory / floor
    return [
        Row("memory (PSS), 8 idle workers", "<= 1.6 x floor", f"{ratio:.2f} ({memory:.0f} MB)", ratio <= 1.6),
        Row("idle, long polling", "<= 0.5 % of a core", f"{share:.2%}", share <= 0.005),
    ]


def latency(bench: Bench) -> list[Row]:
    """From the send to the start of the task, at a low rate."""
    with tempfile.TemporaryDirectory() as directory:
        out = Path(directory) / "out"
        out.touch()
        name, url = bench.queue()
        with bench.running(bench.squids(name, "--workers", "2"), BENCH_OUT=str(out)) as process:
            wait_until(lambda: len(family(process.pid)) == 4)
            for number in range(40):
                bench.client.send_message(QueueUrl=url, MessageBody=body("arrive", time.monotonic()))
                wait_until(lambda n=number: len(whole_lines(out)) > n)
                time.sleep(0.05)
        times = [float(line) * 1000 for line in whole_lines(out)]
    median = statistics.median(times)
    return [Row("send to start of the task, low rate", "<= 15 ms", f"{median:.1f} ms", median <= 15)]


PARTS: dict[str, Callable[[Bench], list[Row]]] = {
    "throughput": throughput,
    "once": once,
    "busy": busy,
    "idle": idle,
    "latency": latency,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="fewer messages, one run: to see that it works")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    arguments = parser.parse_args()
    rows: list[Row] = []
    with servers.fauxqs() as url:
        bench = Bench(url, 3000 if arguments.short else 6000, 1 if arguments.short else 5)
        for part in arguments.only:
            rows += PARTS[part](bench)
        bench.client.close()
    print_table(rows, bench.runs)
    lost = any(not row.ok for row in rows if row.target == "0")
    return int(lost or (arguments.check and not all(row.ok for row in rows)))


if __name__ == "__main__":
    sys.exit(main())
