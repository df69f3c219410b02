"""Exit handlers run in the process that registered them. Each test looks at a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.support.servers import ROOT

PROGRAM = """
import atexit, json, multiprocessing, multiprocessing.util, os, sys, tempfile, weakref
from squids.process.child import exit_now
from squids.process.exit_handlers import set_aside

def say(*words):
    print(*words, flush=True)

class Thing:
    def __del__(self):
        say("dropped")
    def close(self):
        say("closed", "in the child" if os.getpid() != first else "in the first")

first = os.getpid()
{imported}
set_aside(owner={owner})
if os.fork() == 0:
    {child}
    exit_now(7)
status = os.waitstatus_to_exitcode(os.wait()[1])
say("status", status)
{parent}
exit_now(0)
"""


def lines(imported="pass", child="pass", parent="pass", *, owner=True):
    """What a program prints that registers something, forks a child which exits, and exits itself."""
    program = PROGRAM.format(imported=imported, child=child, parent=parent, owner=owner)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_what_the_import_registered_runs_once_in_the_process_that_imported():
    """After its children. What only `atexit` refers to is not dropped in the child either."""
    said = lines("atexit.register(Thing().close)")
    assert said == ["status 7", "closed in the first", "dropped"]


def test_it_runs_in_no_fork_server_that_is_itself_a_fork():
    """`squids` imports the app in its main process."""
    assert lines("atexit.register(Thing().close)", owner=False) == ["status 7"]


def test_what_a_child_registers_itself_runs_in_it_in_reverse_order():
    child = "atexit.register(say, 'one'); atexit.register(say, 'two')"
    assert lines("atexit.register(say, 'import')", child) == ["two", "one", "status 7", "import"]


SCRATCH = "scratch = tempfile.TemporaryDirectory(); say(scratch.name)"


def test_a_temporary_directory_of_the_import_outlives_each_child():
    """Also one that drops it. It is removed at the end, by the process that made it."""
    name, *rest = lines(SCRATCH, "del scratch", "say(os.path.isdir(scratch.name))")
    assert rest == ["status 7", "True"]
    assert not os.path.exists(name)


def test_a_temporary_directory_of_a_child_is_removed_by_it():
    made = "own = tempfile.TemporaryDirectory(); say(own.name)"
    its_parents, own, status = lines(SCRATCH, made, "say(os.path.isdir(scratch.name))")[:3]
    assert status == "status 7"
    assert own != its_parents
    assert not os.path.exists(own)


def test_finalizers_of_the_fork_server_s_own_do_not_prevent_those_of_the_import():
    name, *rest = lines(SCRATCH, parent="keep = Thing(); weakref.finalize(keep, say, 'own')")
    assert rest[:2] == ["status 7", "own"]
    assert not os.path.exists(name)


def test_processes_of_the_import_are_not_stopped_by_a_child():
    """multiprocessing stops its daemons at the exit of any process that thinks they are its own."""
    imported = (
        "import time; process = multiprocessing.get_context('fork').Process("
        "target=time.sleep, args=(600,), daemon=True); process.start()"
    )
    said = lines(imported, "pass", "say('lives', process.is_alive()); atexit.register(say, 'end')")
    assert said == ["status 7", "lives True", "end"]


def test_processes_of_a_child_are_stopped_by_it():
    """Though the handler that does so was registered by the import."""
    child = (
        "import time; process = multiprocessing.get_context('fork').Process("
        "target=time.sleep, args=(600,), daemon=True); process.start(); say(process.pid)"
    )
    pid, status = lines(child=child)
    assert status == "status 7"
    assert not os.path.exists(f"/proc/{pid}")


def test_multiprocessing_s_finalizers_of_the_import_run_at_the_end():
    """And a child's own in the child."""
    imported = "multiprocessing.util.Finalize(None, say, args=('import',), exitpriority=1)"
    child = "multiprocessing.util.Finalize(None, say, args=('child',), exitpriority=1)"
    assert lines(imported, child) == ["child", "status 7", "import"]


def test_log_records_that_a_child_keeps_are_written_at_its_exit():
    imported = (
        "import logging, logging.handlers; out = logging.StreamHandler(sys.stdout); "
        "kept = logging.handlers.MemoryHandler(100, target=out); logging.getLogger().addHandler(kept)"
    )
    assert lines(imported, "logging.warning('from the child')") == ["from the child", "status 7"]


def test_a_handler_that_fails_stops_neither_the_others_nor_the_exit():
    program = PROGRAM.format(
        imported="atexit.register(say, 'import')",
        child="atexit.register(say, 'one'); atexit.register(lambda: 1 / 0)",
        parent="pass",
        owner=True,
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.splitlines() == ["one", "status 7", "import"]
    assert "ZeroDivisionError" in done.stderr


def test_a_process_that_forks_nothing_runs_all_of_its_own():
    """A fresh interpreter imported the app itself."""
    program = (
        "import atexit\nfrom squids.process.child import exit_now\natexit.register(print, 'bye')\nexit_now(3)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (3, "bye\n")
