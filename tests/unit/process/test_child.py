"""How a child begins and ends. Each test looks at a process of its own."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from typing import Any

import pytest

from squids.process.child import LIMITS
from tests.support.servers import ROOT

BEGIN = "import atexit, json, os, resource, signal, socket, sys\nfrom squids.process.child import *\n"


def run(code: str, **process: Any) -> subprocess.CompletedProcess[str]:
    """A program that does this."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    process = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": environment, **process}
    return subprocess.run(
        [sys.executable, "-c", BEGIN + code], cwd=ROOT, text=True, timeout=60, check=False, **process
    )


FORKS = """
def entry(preloaded, channel, descriptors, args):
    if args["does"] == "return":
        return args["with"]
    raise eval(args["with"])

statuses = []
for does, value in {cases}:
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        ours, theirs = socket.socketpair()
        try:
            run_and_exit(entry, None, [theirs.detach()], {{"does": does, "with": value}}, "squids: child")
        finally:
            print("what the parent had on the stack")
    statuses.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
print(json.dumps(statuses))
"""


def test_it_ends_with_what_its_entry_says():
    """As a program does: by its answer, by sys.exit, by an exception, by Ctrl-C. It runs nothing else."""
    cases = {
        ("return", 0): 0,
        ("return", 78): 78,
        ("return", 256 + 3): 3,
        ("raise", "SystemExit(5)"): 5,
        ("raise", "SystemExit(None)"): 0,
        ("raise", "SystemExit('a reason')"): 1,
        ("raise", "KeyboardInterrupt()"): 130,
        ("raise", "ValueError('a bug')"): 1,
    }
    done = run(FORKS.format(cases=list(cases)))
    assert json.loads(done.stdout) == list(cases.values())
    assert done.stderr.count("Traceback") == 1
    assert "ValueError: a bug" in done.stderr


def test_it_is_given_what_it_needs():
    """What was preloaded, its socket, the other descriptors, and its arguments; it has a title by then."""
    code = """
ours, theirs = socket.socketpair()
def entry(preloaded, channel, descriptors, args):
    title = open("/proc/self/cmdline").read().rstrip(chr(0)) if sys.platform == "linux" else "squids: it"
    channel.sendall(json.dumps([preloaded, descriptors, args, title, faulthandler.is_enabled()]).encode())
    print(ours.recv(1000).decode())
    return 0
import faulthandler
run_and_exit(entry, "app", [theirs.detach(), 77], {"queue": "emails"}, "squids: it")
"""
    assert json.loads(run(code).stdout) == ["app", [77], {"queue": "emails"}, "squids: it", True]


def test_what_was_registered_for_the_exit_runs_and_what_was_printed_is_flushed():
    code = "atexit.register(print, 'bye', end='')\nprint('last words', end=', ')\nexit_now(3)"
    done = run(code)
    assert (done.returncode, done.stdout) == (3, "last words, bye")


def test_a_thread_that_cannot_be_stopped_keeps_nobody():
    """What was printed is flushed all the same."""
    code = "import threading\nthreading.Thread(target=threading.Event().wait).start()\n"
    done = run(code + "print('last words', end='')\nexit_now(78)")
    assert (done.returncode, done.stdout) == (78, "last words"), done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no full disk at hand")
def test_words_that_are_lost_are_a_failure():
    """Its disk is full. An exit status that says worse is not made better by it."""
    with open("/dev/full", "w") as full:
        statuses = [run(f"print('words')\nexit_now({code})", stdout=full).returncode for code in (0, 78)]
    assert statuses == [1, 78]


def test_lines_are_printed_at_once():
    """Who reads a log that a pipe leads to wants to see them now. What follows the line waits, and is lost here."""
    code = "print_lines_at_once()\nprint('a line')\nprint('no line', end='')\nos._exit(0)"
    assert run(code).stdout == "a line\n"


def test_all_that_is_printed_goes_where_it_is_to():
    """By whoever prints: Python, compiled code, a program that it starts."""
    code = """
read, write = os.pipe()
kept = os.dup(1)
print_to(write)
print("python", flush=True)
print("error", file=sys.stderr, flush=True)
os.system("echo program")
os.dup2(kept, 1)
os.close(2)
print(json.dumps(os.read(read, 1000).decode()))
print(os.read(read, 1000))
"""
    heard, rest = run(code).stdout.splitlines()
    assert json.loads(heard) == "python\nerror\nprogram\n"
    assert rest == "b''", "nothing else keeps the pipe open"


@pytest.mark.parametrize("closed", [(0,), (1, 2), (0, 1, 2)])
def test_a_file_is_never_taken_for_a_standard_stream(closed):
    """A daemon may be started without them: what it prints would go into the file that it opened first."""
    code = f"""
report = os.dup(1)
for number in {closed}:
    os.close(number)
open_standard_streams()
file = os.open(os.devnull, os.O_RDONLY)
links = [os.stat(number).st_rdev == os.stat(os.devnull).st_rdev for number in {closed}]
os.write(report, json.dumps([file > 2, all(links)]).encode())
"""
    assert json.loads(run(code).stdout) == [True, True]


def test_streams_that_are_open_are_left_alone():
    """And nothing is opened beside them."""
    code = """
kept, free = os.dup(1), os.dup(1)
os.close(free)
open_standard_streams()
print(os.path.sameopenfile(1, kept), os.dup(1) == free)
"""
    assert run(code).stdout == "True True\n"


@pytest.mark.skipif(sys.platform != "linux", reason="Linux has all of them")
def test_each_limit_is_one_of_the_systems():
    assert [name for name in LIMITS if not hasattr(resource, f"RLIMIT_{name.upper()}")] == []


def limits_after(nice: int, limits: dict[str, int | None]) -> dict[str, Any]:
    """Those of a process whose hard limit of open files is 200, and of a stack none."""
    code = f"""
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))
apply_limits({nice}, {limits})
found = {{name: resource.getrlimit(getattr(resource, "RLIMIT_" + name.upper())) for name in ("nofile", "core")}}
print(json.dumps({{"nice": os.getpriority(os.PRIO_PROCESS, 0), **found}}))
"""
    done = run(code)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(("wanted", "soft"), [(50, 50), (200, 200), (10_000, 200), (None, 200)])
def test_a_soft_limit_goes_up_to_the_hard_one(wanted, soft):
    """Which is the administrator's; "unlimited" is as much as there is."""
    assert limits_after(0, {"nofile": wanted})["nofile"] == [soft, 200]


def test_what_is_not_set_is_inherited():
    mine = list(resource.getrlimit(resource.RLIMIT_CORE))
    found = limits_after(0, {})
    assert found == {"nice": os.getpriority(os.PRIO_PROCESS, 0), "nofile": [100, 200], "core": mine}


def test_a_process_can_be_nicer():
    assert limits_after(19, {})["nice"] == 19
