"""The original SQuidS, as it is on PyPI, and we understand each other's messages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import squids

ORIGINAL = "squids==0.1.0a2"

SENDER = """
import sys, squids
app = squids.App("old")

@app.task(queue=sys.argv[1])
def work(a, b=None):
    ...

work.__module__
app._tasks["tasks.work"] = task = app._tasks.pop(next(iter(app._tasks)))
task.name = "tasks.work"
print(task.send("from the original", b=[1, {"x": None}])["MessageId"])
"""

READER = """
import sys, squids
app = squids.App("old", delete_late=True)

@app.task(queue=sys.argv[1])
def work(a, b=None):
    print("ran", a, b)

app._tasks["tasks.work"] = app._tasks.pop(next(iter(app._tasks)))
app.create_consumer(sys.argv[1]).consume({"WaitTimeSeconds": 1})
"""


@pytest.fixture(scope="session")
def original(tmp_path_factory) -> Path:
    """A directory with the original in it. Python finds it there first, and our boto3 after it."""
    place = tmp_path_factory.mktemp("original")
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(place), ORIGINAL]
    subprocess.run(install, check=True)
    return place


def run(original: Path, script: str, queue: str, directory: Path) -> str:
    file = directory / "old_app.py"
    is_original = f"import squids; assert squids.__file__.startswith({str(original)!r})"
    file.write_text(f"{is_original}\n{script}")
    done = subprocess.run(
        [sys.executable, str(file), queue],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(original), "PYTHONUTF8": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.usefixtures("aws_environment")
def test_it_reads_what_we_send_and_we_read_what_it_sends(original, new_queue, tmp_path):
    """Old and new producers and consumers mix during a migration."""
    name, _ = new_queue()
    app = squids.App("new")
    seen = []

    def work(a, b=None):
        seen.append((a, b))

    work.__module__, work.__qualname__ = "tasks", "work"
    task = app.task(name)(work)

    run(original, SENDER, name, tmp_path)
    assert app.create_consumer(name).consume({"WaitTimeSeconds": 1}).done == 1
    assert seen == [("from the original", [1, {"x": None}])]

    task.send("from the new", b="\u6f22 \U0001f991 \ufffe \x7f")
    ran = run(original, READER, name, tmp_path).strip()
    assert ran == "ran from the new \u6f22 \U0001f991 \ufffe \x7f"
    assert app.create_consumer(name).consume().received == 0
