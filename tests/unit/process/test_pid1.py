"""Init's duties, in a process that is not PID 1 but to which orphans come all the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from squids.process.pid1 import run_as_init_if_pid1
from tests.support.servers import ROOT
from tests.support.terminals import Terminal
from tests.support.waiting import wait_until

PROGRAM = """
import os, signal, sys, time
from squids.process.pid1 import run_as_init
from squids.process.zygote_main import become_subreaper

def say(*words):
    print(*words, flush=True)

become_subreaper()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
init = os.getpid()
run_as_init()
"""


@contextmanager
def under_init(code: str) -> Iterator[subprocess.Popen[str]]:
    """A program below a process that is init to it."""
    command = [sys.executable, "-c", PROGRAM + code]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, text=True, stdin=pipe, stdout=pipe) as init:
        try:
            yield init
        finally:
            init.kill()


def test_elsewhere_nothing_is_forked():
    """This process is not PID 1."""
    before = os.getpid()
    run_as_init_if_pid1()
    assert os.getpid() == before


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("sys.exit(78)", 78),
        ("os.kill(os.getpid(), signal.SIGTERM)", 128 + signal.SIGTERM),
    ],
)
def test_it_ends_as_its_program_ends(code, status):
    """A signal as a shell says it."""
    with under_init(code) as init:
        assert init.wait(60) == status


def test_its_program_is_as_if_it_had_been_started_alone():
    """The mask is what it was before, and Ctrl-C reaches it once: by init alone."""
    code = """
blocked = {signal.Signals(number).name for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])}
say(os.getppid() == init, os.getpgid(0) == os.getpid(), *blocked)
"""
    with under_init(code) as init:
        assert init.stdout.readline() == "True True SIGUSR2\n"


def test_signals_are_passed_on():
    code = """
signal.signal(signal.SIGTERM, lambda *_: say("SIGTERM"))
signal.signal(signal.SIGHUP, lambda *_: say("SIGHUP"))
say("ready")
sys.stdin.read()
"""
    with under_init(code) as init:
        assert init.stdout.readline() == "ready\n"
        for number in (signal.SIGTERM, signal.SIGHUP):
            init.send_signal(number)
            assert init.stdout.readline() == f"{number.name}\n"
        init.stdin.close()
        assert init.wait(60) == 0


def test_its_program_may_read_from_the_terminal_and_gets_ctrl_c_once():
    """As in `docker run -it`. In a background group it would be stopped as it reads, for ever."""
    code = """
times = []
signal.signal(signal.SIGINT, lambda *_: times.append(1))
say("ready")
say("read", input())
while not times:
    time.sleep(0.005)
signal.signal(signal.SIGTERM, lambda *_: (say("interrupts", len(times)), os._exit(0)))
os.kill(init, signal.SIGTERM)
while True:
    time.sleep(60)
"""
    window = Terminal([sys.executable, "-c", PROGRAM + code], ROOT, os.environ)
    try:
        wait_until(lambda: "ready" in window.text)
        os.write(window._master, b"hello\n")
        wait_until(lambda: "read hello" in window.text, what=lambda: window.text)
        os.write(window._master, b"\x03")
        wait_until(lambda: "interrupts 1" in window.text, what=lambda: window.text)
        _, status = os.waitpid(window.pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0
    finally:
        window.close()


def test_orphans_are_reaped_and_not_taken_for_the_program():
    """One that ends with 5, and whose parent is gone: no zombie is left, and nobody ends with 5."""
    code = """
read, write = os.pipe()
if not (child := os.fork()):
    if orphan := os.fork():
        os.write(write, str(orphan).encode())
    os._exit(5)
os.waitpid(child, 0)
orphan = int(os.read(read, 20))
while os.path.exists(f"/proc/{orphan}"):
    time.sleep(0.005)
say("gone")
sys.exit(3)
"""
    if sys.platform != "linux":
        pytest.skip("orphans come to init alone here")
    with under_init(code) as init:
        assert init.stdout.readline() == "gone\n"
        assert init.wait(60) == 3
