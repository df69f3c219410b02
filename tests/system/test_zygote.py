"""The fork server and its children, as real processes, by both start methods."""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from squids.process.protocol import Exited, Spawned, SpawnFailed
from squids.process.zygote_handle import ZygoteHandle
from tests.support.waiting import wait_until
from tests.support.zygotes import (
    ROOT,
    Method,
    OwnedZygote,
    alive,
    dead,
    end,
    gone,
    sleeping,
    state,
    wakeups,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture(params=list(Method), ids=lambda method: method.value)
def method(request):
    return request.param


@pytest.fixture
def zygote(method):
    with OwnedZygote(method) as made:
        yield made


@pytest.fixture
def forking():
    """For what does not depend on how children start."""
    with OwnedZygote(Method.FORK) as made:
        yield made


# Spawn and exit.


@pytest.mark.parametrize("status", [0, 1, 78, 255])
def test_a_child_runs_and_its_exit_status_is_reported(zygote, status):
    """What the entry returns is the exit status."""
    child = zygote.spawn("leave", status=status)
    exited = zygote.exited(child)
    assert (exited.status, exited.pid) == (status, child.pid)
    gone(child.pid)


@pytest.mark.parametrize(("argument", "status"), [(None, 0), (5, 5), ("a reason", 1)])
def test_a_child_may_end_by_sys_exit(forking, argument, status):
    """sys.exit means what it means in any program."""
    assert forking.exited(forking.spawn("exit_by", argument=argument)).status == status


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_child_that_a_signal_kills_is_reported_with_minus_the_signal(zygote, number):
    """Whoever reads the report knows what killed it."""
    child = zygote.spawn("hold_out")
    child.told()
    os.kill(child.pid, number)
    assert zygote.exited(child).status == -number


def test_an_exception_is_shown_and_is_exit_status_1(method, capfd):
    """A bug in an entry point is not silent."""
    with OwnedZygote(method) as zygote:
        assert zygote.exited(zygote.spawn("fail", text="a bug of ours")).status == 1
    assert "RuntimeError: a bug of ours" in capfd.readouterr().err


def test_a_child_leaves_as_a_program_does(method, capfd, tmp_path):
    """Functions registered for the exit run, and what was printed is flushed, once."""
    with OwnedZygote(method) as zygote:
        child = zygote.spawn("leave_politely", path=str(tmp_path / "exit"), text="last words")
        assert zygote.exited(child).status == 0
    assert (tmp_path / "exit").read_text() == "exit function ran"
    assert capfd.readouterr().out == "last words"


def test_the_report_of_an_end_says_what_the_child_used(forking):
    """CPU in seconds and the most memory in KiB, from the kernel."""
    exited = forking.exited(forking.spawn("burn", seconds=0.2))
    assert 0.2 <= exited.cpu < 5.0
    assert 5_000 < exited.max_rss < 1_000_000


def test_many_children_at_once_are_each_reported_once(forking):
    """One SIGCHLD may stand for many deaths."""
    children = [forking.spawn("leave", status=number, wait=False) for number in range(50)]
    for number, child in enumerate(children):
        assert forking.exited(child).status == number
    assert sum(isinstance(event, Exited) for event in forking.events) == 50
    assert sum(isinstance(event, Spawned) for event in forking.events) == 50


def test_spawned_comes_before_exited(forking):
    """However short a child lives, its pid is known before its end."""
    children = [forking.spawn("leave", status=0, wait=False) for _ in range(20)]
    for child in children:
        forking.exited(child)
        kinds = [type(event) for event in forking.events if event.child == child.number]
        assert kinds == [Spawned, Exited]


# What a child is.


def test_a_forked_child_shares_what_was_preloaded():
    """The import was the zygote's."""
    with OwnedZygote(Method.FORK) as zygote:
        report = zygote.spawn("report").told()
    assert report["preloaded"] == {"preloaded": {"answer": 42}, "by": zygote.handle.pid}
    assert report["parent"] == zygote.handle.pid


def test_a_fresh_child_imports_for_itself():
    """The preload entry runs in each child, and not in the zygote."""
    with OwnedZygote(Method.EXEC) as zygote:
        child = zygote.spawn("report")
        report = child.told()
    assert report["preloaded"] == {"preloaded": {"answer": 42}, "by": child.pid}


def test_a_child_gets_its_arguments_title_and_place(zygote):
    """The same arguments, title, directory and module path, by either method."""
    child = zygote.spawn("report", name="ö", numbers=[1, 2])
    report = child.told()
    assert report["args"] == {"name": "ö", "numbers": [1, 2]}
    assert report["title"] == f"squids: test child {child.number}"
    assert report["directory"] == os.getcwd()
    assert str(ROOT) in report["path"]
    assert report["faulthandler"]
    assert "squids: test zygote" in Path(f"/proc/{zygote.handle.pid}/cmdline").read_text()


def test_a_child_has_a_process_group_of_its_own(zygote):
    """Ctrl-C is not for children, and their own subprocesses can be killed with them."""
    children = [zygote.spawn("report") for _ in range(2)]
    reports = [child.told() for child in children]
    assert [report["group"] for report in reports] == [child.pid for child in children]
    assert os.getpgid(zygote.handle.pid) not in {os.getpgrp(), *(child.pid for child in children)}


def test_a_child_has_default_signal_dispositions(zygote):
    """Python's own, an empty mask, and nothing of the zygote's."""
    report = zygote.spawn("report").told()
    assert report["interrupt"] and report["terminate"] and report["child"]
    assert report["signals"]["SigBlk"] == []
    assert set(report["signals"]["SigIgn"]) <= {signal.SIGPIPE, signal.SIGXFSZ}
    assert signal.SIGINT in report["signals"]["SigCgt"]
    assert not {signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP} & set(report["signals"]["SigCgt"])


def test_a_child_has_only_the_descriptors_meant_for_it(zygote):
    """Its socket, what else it was given, and the three standard ones; nothing of the zygote or of siblings."""
    siblings = [zygote.spawn("hold_out"), zygote.spawn("have_children", owns_children=True)]
    for sibling in siblings:
        sibling.told()
    read, write = os.pipe()
    report = zygote.spawn("report", [write]).told()
    os.close(read)
    os.close(write)
    mine = {report["channel"], *report["given"]}
    assert len(report["given"]) == 1
    assert {int(number) for number in report["descriptors"]} == {0, 1, 2} | mine
    assert report["descriptors"]["0"] == "/dev/null"
    assert not mine & set(report["inheritable"])


def test_a_child_that_owns_children_has_one_descriptor_more(zygote):
    """Its own socket to the zygote, and not the zygote's end of it: else it would never see the zygote go."""
    report = zygote.spawn("report", owns_children=True).told()
    mine = {report["channel"], *report["given"]}
    assert len(report["given"]) == 1
    assert {int(number) for number in report["descriptors"]} == {0, 1, 2} | mine
    assert not mine & set(report["inheritable"])


def test_a_program_that_a_task_starts_inherits_no_socket(zygote, tmp_path):
    """os.system closes nothing; so there must be nothing to inherit."""
    child = zygote.spawn("count_programs_descriptors", path=str(tmp_path / "found"))
    assert zygote.exited(child).status == 0
    found = set(json.loads((tmp_path / "found").read_text().replace("'", '"')))
    assert found == {"0", "1", "2", "3"}  # The last is the listing's own.


def test_the_zygote_keeps_no_descriptor_of_a_child(zygote):
    """A child's socket ends when the child does, and a zygote that runs for years does not fill up."""
    zygote.exited(zygote.spawn("leave", status=0))
    before = os.listdir(f"/proc/{zygote.handle.pid}/fd")
    for _ in range(3):
        child = zygote.spawn("have_children", owns_children=True, runs="leave_at_once")
        child.told()
        child.close()
        zygote.exited(child)
    child = zygote.spawn("hold_out")
    child.told()
    wait_until(lambda: os.listdir(f"/proc/{zygote.handle.pid}/fd") == before, what="as many as before")
    os.kill(child.pid, signal.SIGKILL)
    assert child.socket.recv(1) == b""


# Killing.


def test_the_owner_may_send_a_signal_to_a_child(zygote):
    """Kill is for the child it names, and no other."""
    victim, other = zygote.spawn("hold_out"), zygote.spawn("hold_out")
    victim.told()
    other.told()
    zygote.handle.kill(victim.number, signal.SIGTERM)
    assert zygote.exited(victim).status == -signal.SIGTERM
    assert alive(other.pid)


def test_a_signal_that_comes_with_the_birth_is_not_lost(zygote):
    """A child is born with signals blocked until it has dispositions of its own; the zygote ignores some."""
    children = [zygote.spawn("hold_out", wait=False) for _ in range(10)]
    for child in children:
        zygote.handle.kill(child.number, signal.SIGTERM)
    for child in children:
        assert zygote.exited(child).status == -signal.SIGTERM


def test_a_signal_may_be_for_the_child_alone(forking):
    """`group=False` leaves what the child started out of it."""
    child = forking.spawn("have_helper")
    helper = child.told()["helper"]
    forking.handle.kill(child.number, signal.SIGSTOP, group=False)
    wait_until(lambda: state(child.pid) == "T", what="the child is stopped")
    assert state(helper) != "T"
    forking.handle.kill(child.number, signal.SIGKILL)
    assert forking.exited(child).status == -signal.SIGKILL


def test_a_signal_to_a_dead_or_unknown_child_or_of_no_such_number_is_nothing(forking):
    """Owner and zygote cannot know the same at the same time."""
    child = forking.spawn("leave", status=0)
    forking.handle.kill(child.number, signal.SIGKILL)
    forking.handle.kill(999, signal.SIGKILL)
    held = forking.spawn("hold_out")
    forking.handle.kill(held.number, 4711)
    assert forking.exited(child).status in (0, -signal.SIGKILL)
    assert forking.exited(forking.spawn("leave", status=3)).status == 3


@pytest.mark.parametrize("leave", [False, True], ids=["killed", "left"])
def test_what_is_left_of_a_dead_childs_group_is_killed(zygote, leave):
    """A task's own subprocess must not go on beside the message's next run."""
    child = zygote.spawn("have_helper", leave=leave)
    helper = child.told()["helper"]
    if not leave:
        os.kill(child.pid, signal.SIGKILL)
    assert zygote.exited(child).status == (7 if leave else -signal.SIGKILL)
    gone(helper)


def test_a_grandchild_that_outlives_a_child_is_reaped_and_never_mistaken(zygote):
    """What left its group comes to the zygote, the subreaper; its end is nobody's event."""
    child = zygote.spawn("have_helper", leave=True, elsewhere=True)
    helper = child.told()["helper"]
    try:
        assert zygote.exited(child).status == 7
        assert alive(helper)
        status = Path(f"/proc/{helper}/status").read_text()
        assert f"PPid:\t{zygote.handle.pid}\n" in status
    finally:
        end(helper)
    gone(helper)
    assert zygote.exited(zygote.spawn("leave", status=3)).status == 3
    assert len([event for event in zygote.events if isinstance(event, Exited)]) == 2


def test_without_waitid_ends_are_reported_and_leftovers_killed_all_the_same():
    """macOS before Python 3.13 has no waitid."""
    with OwnedZygote(Method.FORK, trouble="waitid") as zygote:
        child = zygote.spawn("have_helper", leave=True)
        helper = child.told()["helper"]
        assert zygote.exited(child).status == 7
        gone(helper)
        assert zygote.exited(zygote.spawn("leave", status=3)).status == 3
    assert zygote.leaves() == 0


# Failures.


def test_a_fork_that_the_system_refuses_is_reported():
    """SpawnFailed says what the system said, and the next fork is tried as if nothing had been."""
    with OwnedZygote(Method.FORK, trouble="fork") as zygote:
        child = zygote.spawn("leave", owns_children=True, status=0, wait=False)
        failed = zygote.wait_for(SpawnFailed, child)
        assert (failed.errno, failed.reason) == (errno.EAGAIN, os.strerror(errno.EAGAIN))
        assert child.socket.recv(1) == b""
        assert zygote.exited(zygote.spawn("leave", status=3)).status == 3
        before = len(os.listdir(f"/proc/{zygote.handle.pid}/fd"))
    assert before == 6  # Three standard ones, the owner, and the pipe that wakes it.


def test_a_zygote_without_free_descriptors_refuses_and_goes_on(zygote):
    """The descriptors of one child are never taken for another's."""
    zygote.exited(zygote.spawn("leave", status=0))
    pid = zygote.handle.pid
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
    free = [number for number in range(64) if number not in used]
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (free[1], hard))  # Room for one.
    read, write = os.pipe()
    for _ in range(2):
        child = zygote.spawn("report", [write], wait=False)
        assert zygote.wait_for(SpawnFailed, child).errno == errno.EMFILE
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    report = zygote.spawn("report", [write]).told()
    assert report["descriptors"][str(report["given"][0])].startswith("pipe:")
    os.close(read)
    os.close(write)


@pytest.mark.parametrize("entry", ["no.such.module:run", "tests.support.zygote_entries:nothing"])
def test_an_entry_point_that_is_not_there_is_reported(entry):
    """By name, in the reason; the zygote goes on."""
    with OwnedZygote(Method.FORK) as zygote:
        failed = zygote.wait_for(SpawnFailed, zygote.spawn(entry, wait=False))
        assert re.search(r"no\.such|no module|nothing", failed.reason, re.IGNORECASE)
        assert zygote.exited(zygote.spawn("leave", status=3)).status == 3


def test_an_entry_point_that_is_not_there_ends_a_fresh_child(capfd):
    """A fresh child finds out for itself, and says so."""
    with OwnedZygote(Method.EXEC) as zygote:
        assert zygote.exited(zygote.spawn("no.such.module:run")).status == 1
    assert "No module named 'no'" in capfd.readouterr().err


def test_an_owner_that_sends_garbage_is_given_up(zygote):
    """It is as good as gone: its children are orphans; the zygote does not fail over it."""
    child = zygote.spawn("hold_out")
    child.told()
    zygote.handle.channel._socket.sendall(struct.pack(">I", 3) + b"{{{")
    gone(child.pid)
    assert zygote.leaves() == 0


# Owners.


def test_when_the_owner_is_gone_children_have_their_grace_and_are_killed(zygote):
    """Nobody extends their messages any more. The zygote leaves when the last one is dead."""
    grace = 0.5
    children = [zygote.spawn("hold_out", grace=grace), zygote.spawn("have_helper", grace=grace)]
    helper = [child.told() for child in children][1]["helper"]
    zygote.handle.close()
    since = time.monotonic()
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
    wait_until(lambda: len(os.listdir(f"/proc/{forking.handle.pid}/fd")) == 5, what="it saw its owner go")
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
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
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
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
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
