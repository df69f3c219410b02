"""The app of the benchmarks. Tasks write what they saw to files named in the environment."""

import os
import time

import squids

app = squids.App("bench")


@app.task("bench")
def noop(number: int) -> None:
    """Nothing: what is left is squids."""


@app.task("bench")
def wait(number: int, seconds: float) -> None:
    """Wait, and write down when: a line of start and end."""
    start = time.monotonic()
    time.sleep(seconds)
    _write(f"{start} {time.monotonic()} {os.getpid()}")


@app.task("bench")
def arrive(sent: float) -> None:
    """Write down how long it took from the send to here."""
    _write(str(time.monotonic() - sent))


def _write(line: str) -> None:
    descriptor = os.open(os.environ["BENCH_OUT"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)
