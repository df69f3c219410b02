"""What a worker does on SIGINT and SIGTERM, and what the programs and forks of its tasks do."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from squids.process.signals import STOPS

START = """
import os, signal, subprocess, sys, threading
sys.path.insert(0, os.getcwd())
from squids.pool.worker_signals import StopSignals
lives = True
worker = StopSignals(lambda: lives)
worker.ignore()
number = int(sys.argv[1])
"""


def run(number: int, program: str) -> subprocess.CompletedProcess[str]:
    """A worker that runs this; it prints what came of it."""
    return subprocess.run(
        [sys.executable, "-c", START + program, str(int(number))],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("number", STOPS)
def test_it_ignores_both_while_its_consumer_lives(number):
    done = run(number, "signal.raise_signal(number); print('goes on')")
    assert (done.stdout, done.stderr, done.returncode) == ("goes on\n", "", 0)


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, -signal.SIGINT)]
)
def test_without_its_consumer_it_takes_them_as_any_program(number, status):
    done = run(number, "lives = False\nsignal.raise_signal(number); print('goes on')")
    assert (done.stdout, done.returncode) == ("", status)
    assert ("KeyboardInterrupt" in done.stderr) == (number == signal.SIGINT)


@pytest.mark.parametrize("number", STOPS)
def test_programs_of_tasks_have_the_default(number):
    """SIG_IGN would cross exec, and `timeout` or a subprocess.terminate would have no effect."""
    done = run(
        number,
        "child = subprocess.Popen(['sleep', '600']); child.send_signal(number); print(-child.wait())",
    )
    assert done.stdout == f"{int(number)}\n"


def test_a_fork_of_a_task_ends_on_sigterm_however_early_it_comes():
    """As multiprocessing's `terminate` sends it; also from a thread, and the next fork is as the first."""
    done = run(
        signal.SIGTERM,
        """
def fork_and_stop():
    for _ in range(200):
        pid = os.fork()
        if pid == 0:
            import time
            time.sleep(60)
            os._exit(0)
        os.kill(pid, number)
        ended.add(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
ended = set()
fork_and_stop()
thread = threading.Thread(target=fork_and_stop)
thread.start()
thread.join()
signal.raise_signal(number)
print(ended, signal.pthread_sigmask(signal.SIG_BLOCK, []))
""",
    )
    assert done.stdout == "{-15} set()\n", done.stderr


def test_a_handler_of_a_task_is_for_its_job_only():
    done = run(
        signal.SIGTERM,
        """
signal.signal(number, lambda *_: print("of the task"))
signal.raise_signal(number)
worker.ignore()
signal.raise_signal(number)
print("goes on")
""",
    )
    assert done.stdout == "of the task\ngoes on\n"


def test_a_handler_of_a_task_crosses_its_forks():
    """Only ours is undone there."""
    done = run(
        signal.SIGTERM,
        """
signal.signal(number, lambda *_: os._exit(7))
pid = os.fork()
if pid == 0:
    signal.raise_signal(number)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
""",
    )
    assert done.stdout == "7\n"


def test_a_blocked_call_of_compiled_code_is_restarted():
    """Compiled code often takes EINTR for an error. Python's own calls are repeated by Python."""
    done = run(
        signal.SIGTERM,
        """
import ctypes, time
ours, theirs = os.pipe()
libc = ctypes.CDLL(None, use_errno=True)
got = ctypes.create_string_buffer(1)
waits = f"/proc/self/task/{threading.get_native_id()}/syscall"
def disturb():
    while not open(waits).read().startswith(("0 ", "63 ")):  # read(2), on x86-64 and on arm64
        time.sleep(0.001)
    signal.pthread_kill(threading.main_thread().ident, number)
    os.write(theirs, b"x")
threading.Thread(target=disturb).start()
print(libc.read(ours, got, 1), ctypes.get_errno())
""",
    )
    assert done.stdout == "1 0\n", done.stderr
