"""The fork server and who owns it: graces, quiet, and the owner's side, as real processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from squids.process.zygote_handle import ZygoteHandle
from tests.support.waiting import wait_until
from tests.support.zygote_entries import open_descriptors
from tests.support.zygotes import (
    ROOT,
    Method,
    OwnedZygote,
    alive,
    dead,
    end,
    gone,
    sleeping,
    wakeups,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


# Owners.


def test_when_the_owner_is_gone_children_have_their_grace_and_are_killed(zygote):
    """Nobody extends their messages any more. The zygote leaves when the last one is dead."""
    grace = 0.5
    children = [zygote.spawn("hold_out", grace=grace), zygote.spawn("have_helper", grace=grace)]
    helper = [child.told() for child in children][1]["helper"]
    since = time.monotonic()  # Before: the grace begins when the zygote sees its owner go.
    zygote.handle.close()
    wait_until(lambda: not any(alive(child.pid) for child in children), what="the children are killed")
    assert time.monotonic() - since >= grace * 0.9
    assert zygote.leaves() == 0
    gone(helper)


def test_each_child_has_its_own_grace(forking):
    """The first to go does not take the others along."""
    short, long = forking.spawn("hold_out", grace=0.1), forking.spawn("hold_out", grace=600.0)
    short.told()
    long.told()
    forking.handle.close()
    gone(short.pid)
    assert alive(long.pid)
    assert alive(forking.handle.pid)
    os.kill(long.pid, signal.SIGKILL)
    assert forking.leaves() == 0


def test_a_child_that_ends_before_its_grace_is_fine(zygote):
    """The zygote leaves with the last child, and does not wait for the grace."""
    child = zygote.spawn("report", grace=600.0)
    child.told()
    child.close()
    zygote.handle.close()
    assert zygote.leaves() == 0
    gone(child.pid)


def test_a_zygote_without_children_leaves_with_its_owner(zygote):
    """At once, and with 0."""
    zygote.handle.close()
    assert zygote.leaves() == 0


def test_a_child_may_own_children(zygote):
    """It spawns and kills over its own socket; their ends are told to it, and to nobody else."""
    child = zygote.spawn("have_children", owns_children=True, kill=True)
    tag, number, pid = child.told()["told"]
    assert (tag, number) == ("spawned", 1)
    tag, number, exited, status, *_ = child.told()["told"]
    assert (tag, number, exited, status) == ("exited", 1, pid, -signal.SIGKILL)
    child.close()
    assert zygote.exited(child).status == 0
    assert {event.child for event in zygote.events} == {child.number}


def test_when_a_child_that_owns_children_dies_they_are_orphans(zygote):
    """A consumer that is killed: its workers have their grace, and are killed."""
    child = zygote.spawn("have_children", owns_children=True, grace=0.2)
    _, _, pid = child.told()["told"]
    assert alive(pid)
    os.kill(child.pid, signal.SIGKILL)
    assert zygote.exited(child).status == -signal.SIGKILL
    gone(pid)
    assert zygote.exited(zygote.spawn("leave", status=3)).status == 3


def test_an_owner_may_not_kill_what_another_owns(zygote):
    """Numbers of children are each owner's own."""
    child = zygote.spawn("have_children", owns_children=True)
    _, number, pid = child.told()["told"]
    assert number == child.number  # The same number, another child.
    zygote.handle.kill(child.number, signal.SIGKILL)
    assert zygote.exited(child).status == -signal.SIGKILL
    gone(pid)


def test_a_child_that_owns_children_sees_the_zygote_go(zygote):
    """The end of its socket to the zygote: it can replace no child any more."""
    child = zygote.spawn("await_end_of", owns_children=True)
    child.told()
    os.kill(zygote.handle.pid, signal.SIGKILL)
    dead(child.pid)
    assert zygote.handle.wait(10) == -signal.SIGKILL


def test_the_handle_knows_that_the_zygote_is_gone(forking):
    """The socket's end says so, and the status says how."""
    assert forking.handle.reap() is None
    assert not forking.handle.gone
    os.kill(forking.handle.pid, signal.SIGKILL)
    wait_until(lambda: (forking.listen(1.0), forking.handle.gone)[1], what="the zygote is gone")
    assert forking.handle.wait(10) == -signal.SIGKILL
    assert forking.handle.reap() == -signal.SIGKILL


# Quiet.


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_zygote_is_told_over_its_socket_and_not_by_signals(zygote, number):
    """It outlives its owner, whatever the terminal or an impatient person sends."""
    zygote.exited(zygote.spawn("leave", status=0))
    os.kill(zygote.handle.pid, number)
    assert zygote.exited(zygote.spawn("leave", status=3)).status == 3


def test_an_idle_zygote_does_not_wake_up(zygote):
    """No polling: no switch in a second with children that live and a grandchild's owner."""
    zygote.spawn("hold_out").told()
    zygote.spawn("have_children", owns_children=True).told()
    zygote.exited(zygote.spawn("leave", status=0))
    sleeping(zygote.handle.pid)
    before = wakeups(zygote.handle.pid)
    assert zygote.listen(1.0) == []
    assert wakeups(zygote.handle.pid) == before


def test_a_zygote_that_waits_out_a_grace_does_not_poll(forking):
    """It sleeps until the grace is over."""
    child = forking.spawn("hold_out", grace=600.0)
    child.told()
    forking.handle.close()
    wait_until(lambda: len(open_descriptors(forking.handle.pid)) == 5, what="it saw its owner go")
    sleeping(forking.handle.pid)
    before = wakeups(forking.handle.pid)
    child.socket.settimeout(1.0)
    with pytest.raises(TimeoutError):
        child.socket.recv(1)
    assert wakeups(forking.handle.pid) == before
    os.kill(child.pid, signal.SIGKILL)
    assert forking.leaves() == 0


# The owner's side, as `squids` uses it.


@pytest.fixture
def owner():
    """Start a program that forks its zygote; end all of it afterwards."""
    pids = []

    def start(entry: str, grace: float) -> tuple[subprocess.Popen, dict]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.zygote_owner", entry, str(grace)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        pids.append(process.pid)
        told = json.loads(process.stdout.readline())
        pids.extend([told["zygote"], told["child"]])
        return process, told

    yield start
    for pid in pids:
        end(pid)


def finished(process: subprocess.Popen) -> int:
    process.stdin.close()
    status = process.wait(20)
    process.stdout.close()
    return status


def test_an_owner_forks_its_zygote(owner):
    """What the owner has imported is in the children; of its terminal and its own socket they have nothing."""
    process, pids = owner("report", 600.0)
    report = pids["told"]
    assert report["preloaded"] == {"from": process.pid}
    assert report["parent"] == pids["zygote"]
    assert {int(number) for number in report["descriptors"]} == {0, 1, 2, report["channel"]}
    assert report["descriptors"]["0"] == "/dev/null"
    assert os.getpgid(pids["zygote"]) == pids["zygote"]
    assert "owner's zygote" in Path(f"/proc/{pids['zygote']}/cmdline").read_text()
    process.stdin.close()
    assert json.loads(process.stdout.readline()) == {"zygote_status": 0}
    assert process.wait(20) == 0
    process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGQUIT])
def test_an_owner_that_is_killed_leaves_no_process(owner, number):
    """Whatever killed it: its socket ends, its children have their grace, the zygote leaves."""
    process, pids = owner("hold_out", 0.3)
    process.send_signal(number)
    gone(pids["child"])
    dead(pids["zygote"])
    assert finished(process) == -number


def test_a_zygote_that_fails_says_why(tmp_path):
    """A bug in the fork server is shown, and is its exit status 1."""
    program = (
        "import socket, sys\n"
        "from squids.process import zygote_main\n"
        "from squids.process.zygote_handle import ZygoteHandle\n"
        "def broken(self): raise RuntimeError('a bug of ours')\n"
        "zygote_main.Zygote._wait = broken\n"
        "print(ZygoteHandle.fork(None, 'squids: broken').wait(20))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "1\n"
    assert "RuntimeError: a bug of ours" in done.stderr


def test_fresh_children_are_not_misled_by_modules_of_the_app(tmp_path, monkeypatch):
    """A `socket.py` or `json.py` beside the app does not stand for the standard library's in our start."""
    for name in ("json", "socket", "signal", "subprocess", "ctypes"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('the wrong module')\n")
    monkeypatch.chdir(tmp_path)
    with OwnedZygote(Method.EXEC) as zygote:
        assert zygote.exited(zygote.spawn("leave", status=3)).status == 3


def test_fresh_children_run_the_same_copy_of_squids(tmp_path):
    """The owner's own, from wherever it came: a checkout on the module path, beside one that is installed."""
    copy, found = tmp_path / "elsewhere", tmp_path / "found"
    shutil.copytree(ROOT / "squids", copy / "squids")
    program = (
        f"import sys; sys.path[:0] = [{str(copy)!r}, {str(ROOT)!r}]\n"
        "import socket\n"
        "from squids.process.zygote_handle import ZygoteHandle\n"
        "zygote = ZygoteHandle.exec('tests.support.zygote_entries:preload', {}, 'squids: test')\n"
        "ours, theirs = socket.socketpair()\n"
        "zygote.spawn(1, 'tests.support.zygote_entries:write_place', {'path': sys.argv[1]}, title='x',"
        " orphan_grace=600, descriptors=[theirs.fileno()])\n"
        "zygote.close()\n"
        "print(zygote.wait(30))\n"
    )
    command = [sys.executable, "-I", "-c", program, str(found)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "0\n", done.stderr
    assert found.read_text() == str(copy / "squids" / "process" / "child_main.py")


def test_a_request_may_carry_no_more_descriptors_than_arrive(forking):
    """What would be cut off is refused here, and not found out there."""
    with pytest.raises(ValueError, match="descriptors"):
        forking.handle.spawn(1, "x:y", {}, title="", orphan_grace=0.0, descriptors=[0] * 17)


def test_wait_is_over_in_time(forking):
    """None after so many seconds, if the zygote lives."""
    assert forking.handle.wait(0.05) is None


def test_handles_of_both_methods_have_one_face():
    """Whoever owns a zygote need not know how its children start."""
    ours, theirs = socket.socketpair()
    handle = ZygoteHandle(os.getpid(), ours)
    theirs.close()
    assert handle.receive() == []
    assert handle.gone
    assert handle.reap() is None  # Not ours to reap: status unknown.
    handle.close()
