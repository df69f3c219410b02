"""The fork server and its children, as real processes, by both start methods."""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import signal
import struct
import sys
from pathlib import Path

import pytest

from squids.process.protocol import Exited, Spawned, SpawnFailed
from tests.support.waiting import wait_until
from tests.support.zygote_entries import open_descriptors
from tests.support.zygotes import (
    ROOT,
    Method,
    OwnedZygote,
    alive,
    end,
    gone,
    state,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


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
    # What the C library keeps to itself (32, 33) may be ignored by whoever started us, and nobody can change it.
    ignored = set(report["signals"]["SigIgn"]) & set(signal.valid_signals())
    assert ignored <= {signal.SIGPIPE, signal.SIGXFSZ}
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
    """MacOS before Python 3.13 has no waitid."""
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
        before = len(open_descriptors(zygote.handle.pid))
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
