"""The lines of docs/systemd.md, as they stand there, on a server that has nothing yet."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks
from tests.support import journal
from tests.support.machines import tree
from tests.support.machines.machine import Machine
from tests.support.machines.server import SQS_UNIT, UNIT, Server

PAGE = (ROOT / "docs" / "systemd.md").read_text()
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": tree.WHEELS}
"""PyPI is a directory here; nothing else of the lines is changed."""


TASKS = (
    journal.SOURCE
    + """
import sys
import squids

app = squids.App("shop")

@app.task("emails")
def mail(name):
    note("told", name, repr(sys.prefix))

@app.task("reports")
def report(name):
    note("told", name, repr(sys.prefix))
"""
)


@pytest.fixture
def empty(tmp_path: Path, wheels: Path) -> Iterator[Machine]:
    """Debian, an SQS, and in /root what the page says that one has: a wheel, the shop's code and its file."""
    copy = tmp_path / "tree"
    subprocess.run(["cp", "-a", str(tree.server()), str(copy)], check=True)
    machine = Machine(copy, f"squids-empty-{os.getpid()}", tmp_path / "console.log")
    wheel = tree.built(wheels)
    shutil.copy(wheel, copy / "root")
    machine.write("/etc/systemd/system/sqs.service", SQS_UNIT)
    machine.write("/root/shop/__init__.py", "")
    machine.write("/root/shop/tasks.py", TASKS)
    machine.write("/root/requirements.txt", "boto3\n")
    try:
        machine.boot()
        machine.systemctl("enable", "--now", "sqs.service")
        yield machine
    finally:
        machine.close()


def _console(words: str) -> list[str]:
    """The lines of the first console block with these words."""
    block = next(block for block in blocks(PAGE) if block.language == "console" and words in block.code)
    return [line.removeprefix("# ") for line in block.code.splitlines()]


def _do(machine: Machine, line: str) -> str:
    done = machine.run(
        "bash",
        "-c",
        f"cd /root && {line}",
        variables={**OFFLINE, "PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
    )
    return done.stdout + done.stderr


def test_ten_lines_from_an_empty_server_to_a_service_and_its_upgrade(empty: Machine) -> None:
    server = Server(empty)
    for queue in ("emails", "reports"):
        server.make_queue(queue)
    (file,) = [block.code for block in blocks(PAGE) if block.code.startswith("# squids.yaml\n")]
    empty.write("/root/squids.yaml", file)
    empty.write(
        "/root/squids.env", "".join(f"{name}={value}\n" for name, value in server.environment.items())
    )
    lines = _console("apt-get install")
    assert len(lines) == 10
    for line in lines:
        _do(empty, f"set -a; . ./squids.env; {line}" if line.endswith(" check") else line)
    assert empty.is_active(UNIT) == "active"
    assert "ExecStart=/opt/squids/current/bin/squids-supervisor" in empty.systemctl("cat", UNIT)
    server.put("emails", "tasks.mail", "a", module="shop")
    assert server.told("a") == "'/opt/squids/1'"
    (checked,) = _console("systemd-run")
    assert "emails" in _do(empty, checked.removesuffix(" --aws"))
    for line in _console("/opt/squids/2"):
        _do(empty, line)
    server.put("emails", "tasks.mail", "b", module="shop")
    assert server.told("b") == "'/opt/squids/2'"
    assert empty.show(UNIT, "NRestarts") == "0"
