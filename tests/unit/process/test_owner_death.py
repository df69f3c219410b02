"""A process that ends with its owner. Each is a child of a child of the test."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.servers import ROOT
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux does it")

OWNER = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1], *sys.argv[2:]])
sys.stdin.read()
"""

CHILD = """
import os, signal, sys, time
from squids.process.owner_death import end_with, outlive_owner

def stop(*_):
    print("stopped", flush=True)
    os._exit(0)

signal.signal(signal.SIGTERM, stop)
{steps}
print(os.getpid(), flush=True)
while True:
    time.sleep(0.01)
    if os.path.exists(sys.argv[1]):
        print("outlived", flush=True)
        os._exit(0)
"""


def run(steps: str, go: object) -> subprocess.Popen[str]:
    """The owner, whose output is the child's."""
    child = CHILD.replace("{steps}", steps)
    return subprocess.Popen(
        [sys.executable, "-c", OWNER, child, str(go)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def killed(owner: subprocess.Popen[str]) -> int:
    """Kill the owner once its child is there; the child's pid."""
    assert owner.stdout is not None
    pid = int(owner.stdout.readline())
    owner.kill()
    owner.wait()
    return pid


def is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_it_gets_the_signal_that_it_asked_for(tmp_path):
    with run("end_with(os.getppid(), signal.SIGTERM)", tmp_path / "go") as owner:
        killed(owner)
        assert owner.stdout.read() == "stopped\n"


def test_without_one_it_is_killed(tmp_path):
    with run("end_with(os.getppid())", tmp_path / "go") as owner:
        pid = killed(owner)
        assert owner.stdout.read() == ""
        wait_until(lambda: not is_running(pid))


def test_it_may_outlive_its_owner_later(tmp_path):
    with run("end_with(os.getppid())\noutlive_owner()", tmp_path / "go") as owner:
        killed(owner)
        (tmp_path / "go").touch()
        assert owner.stdout.read() == "outlived\n"


def test_if_the_owner_is_dead_already_it_exits():
    """Another process is its parent then, whose death says nothing."""
    program = "import os\nfrom squids.process.owner_death import end_with\nend_with(os.getpid())\nprint('on')"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
