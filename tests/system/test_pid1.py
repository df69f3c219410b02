"""Being PID 1 of a container: here, of a PID namespace of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.waiting import wait_until
from tests.support.zygotes import ROOT

UNSHARE = ["unshare", "--fork", "--pid", "--mount-proc", "--kill-child"]


def namespaces_allowed() -> bool:
    if sys.platform != "linux" or shutil.which("unshare") is None:
        return False
    return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not namespaces_allowed(), reason="no PID namespaces here")


class Container:
    """A program that is PID 1, and what it says."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*UNSHARE, sys.executable, "-m", "tests.support.init_program", *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def says(self) -> dict:
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        return json.loads(line)

    @property
    def init(self) -> int:
        """The pid that PID 1 has outside."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int(wait_until(lambda: children.read_text().split(), what="there is a PID 1")[0])

    def status(self) -> int:
        _, errors = self.process.communicate(timeout=30)
        assert "Traceback" not in errors, errors
        return self.process.returncode


@pytest.fixture
def container():
    made = []

    def start(*arguments: str) -> Container:
        made.append(Container(*arguments))
        return made[-1]

    yield start
    for one in made:
        one.process.kill()
        one.process.communicate()


@pytest.mark.parametrize("status", [0, 1, 78])
def test_it_ends_with_the_programs_status(container, status):
    """The container's exit status is the program's."""
    assert container("leave", str(status)).status() == status


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_program_that_a_signal_ends_is_128_and_the_signal(container, number):
    """As a shell says it."""
    assert container("die", str(int(number))).status() == 128 + number


def test_the_program_is_not_pid_1(container):
    """It has default signal actions, a group of its own, and the mask it was started with."""
    one = container("who")
    who = one.says()
    assert who["outer"] == who["parent"] == 1
    assert who["pid"] == who["group"] != 1
    assert one.says() == {"blocked": []}
    assert one.status() == 0


def test_signals_are_passed_on(container):
    """Each of them, once, and in time."""
    one = container("wait")
    assert one.says() == {"ready": True}
    for number in (signal.SIGUSR1, signal.SIGINT, signal.SIGTERM):
        os.kill(one.init, number)
        assert one.says() == {"signal": number}
    assert one.status() == 0


def test_strangers_are_reaped_and_not_taken_for_the_program(container):
    """Orphans come to PID 1; the program sees none of them, and none stays a zombie."""
    one = container("strangers")
    assert one.says() == {"zombies": []}
    assert one.status() == 0


def test_elsewhere_nothing_is_forked():
    """A process that is not PID 1 is left as it is."""
    command = [sys.executable, "-m", "tests.support.init_program", "who"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        who = json.loads(process.stdout.readline())
    assert who["outer"] == who["pid"] == process.pid
