"""The fork server, spoken to as its owners do: in a process of its own where it has to fork."""

from __future__ import annotations

import errno
import os
import resource
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from squids.process.channel import Channel, close_all
from squids.process.protocol import Exited, Frame, Kill, Output, Spawn, Spawned, SpawnFailed, from_wire
from squids.process.zygote_main import Zygote
from tests.support.waiting import wait_until
from tests.support.zygotes import ENTRIES, Method, OwnedZygote, TestChild, gone, state

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


class Desk:
    """A fork server that never forks, in this process, and its owner."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self.owner = Channel(theirs)
        self.zygote = Zygote(ours, None, None)

    def hears(self) -> list[Frame]:
        """Whatever was sent to it; its answers."""
        for descriptor in list(self.zygote._owners):
            self.zygote._hear(descriptor)
        return self.owner.receive()

    def asks(self, *, entry: str = "no.such:entry", said: int = 1, owns: bool = False) -> socket.socket:
        """Ask for a child with one descriptor; its other end."""
        ours, theirs = socket.socketpair()
        with theirs:
            self.owner.send(Spawn(1, entry, {}, "title", 0.0, said, owns), [theirs.fileno()])
        return ours

    def close(self) -> None:
        for owner in self.zygote._owners.values():
            owner.channel.close()
        os.close(self.zygote._wake_read)
        os.close(self.zygote._wake_write)
        self.owner.close()


@pytest.fixture
def desk() -> Iterator[Desk]:
    with closing(Desk()) as made:
        yield made


@pytest.mark.parametrize("owns", [False, True])
def test_a_child_that_cannot_be_is_refused_and_leaves_nothing(desk, owns):
    """Its descriptors are closed, it owns nothing, and no signal is blocked that was not before."""
    mask, before = signal.pthread_sigmask(signal.SIG_BLOCK, []), len(os.listdir("/proc/self/fd"))
    with desk.asks(owns=owns) as other:
        (failed,) = desk.hears()
        assert isinstance(failed, SpawnFailed)
        assert failed.child == 1 and "no" in failed.reason
        assert other.recv(1) == b"", "its owner sees the end of its socket"
    assert len(desk.zygote._owners) == 1
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mask
    assert len(os.listdir("/proc/self/fd")) == before


def test_descriptors_that_did_not_all_arrive_are_nobodys(desk):
    """This process can open no more: the child would take one for another."""
    with desk.asks(said=2) as other:
        (failed,) = desk.hears()
        assert (failed.errno, failed.reason) == (errno.EMFILE, os.strerror(errno.EMFILE))
        assert other.recv(1) == b""


def test_an_owner_that_leaves_in_mid_sentence_leaves_no_descriptor(desk):
    """They came with the beginning of a request."""
    ours, theirs = socket.socketpair()
    with ours:
        socket.send_fds(desk.owner._socket, [b"\0\0"], [theirs.fileno()])
        theirs.close()
        desk.hears()
        ours.setblocking(False)
        with pytest.raises(BlockingIOError):
            ours.recv(1)
        desk.owner.close()
        desk.hears()
        assert ours.recv(1) == b""
    assert desk.zygote._owners == {}


def test_an_owner_that_talks_nonsense_is_given_up_with_a_reason(desk, capsys):
    desk.owner._socket.sendall(b"\0\0\0\3{{{")
    assert desk.hears() == []
    assert desk.zygote._owners == {}
    assert capsys.readouterr().err.startswith("squids: an owner of processes is given up: ")


def test_a_signal_for_who_is_not_there_is_nothing(desk):
    """The child has ended, and its owner does not know it yet."""
    desk.owner.send(Kill(7, signal.SIGKILL))
    assert desk.hears() == []


@pytest.fixture
def forking() -> Iterator[OwnedZygote]:
    with OwnedZygote(Method.FORK) as made:
        yield made


def ask(zygote: OwnedZygote, entry: str, **spawn: object) -> TestChild:
    """Have a child run an entry, started in a way that `OwnedZygote.spawn` does not know."""
    ours, theirs = socket.socketpair()
    child = zygote.children[len(zygote.children) + 1] = TestChild(len(zygote.children) + 1, ours)
    request = {"args": {}, "orphan_grace": 0.0, "title": "squids: test child", **spawn}
    zygote.handle.spawn(child.number, f"{ENTRIES}:{entry}", descriptors=[theirs.fileno()], **request)
    theirs.close()
    return child


def terms(pid: int) -> tuple[int, int, int]:
    """A process's niceness, and how many open files and how large a core dump it may have."""
    files, core = (resource.prlimit(pid, kind)[0] for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE))
    return os.getpriority(os.PRIO_PROCESS, pid), files, core


def test_what_a_child_owns_is_as_nice_and_as_limited_as_it_is(forking):
    """A program's limits are for its consumer and its workers alike, though the consumer asks for those."""
    child = ask(forking, "have_children", owns_children=True, nice=5, limits={"nofile": 77, "core": 0})
    child.pid = forking.wait_for(Spawned, child).pid
    worker = from_wire(child.told()["told"]).pid
    for pid in (child.pid, worker):
        wait_until(
            lambda pid=pid: terms(pid) == (5, 77, 0), what=lambda pid=pid: f"5, 77, 0 for {terms(pid)}"
        )
    other = forking.spawn("hold_out")
    other.told()
    assert os.getpriority(os.PRIO_PROCESS, other.pid) == os.getpriority(os.PRIO_PROCESS, 0)


def test_a_signal_may_be_for_a_child_and_all_that_it_owns(forking):
    """As when a consumer is silent: its workers are to say what they do, too."""
    child = forking.spawn("have_children", owns_children=True, grace=600.0)
    worker = from_wire(child.told()["told"]).pid
    other = forking.spawn("hold_out")
    other.told()
    forking.handle.kill(child.number, signal.SIGSTOP, tree=True)
    for pid in (child.pid, worker):
        wait_until(lambda pid=pid: state(pid) == "T", what=f"{pid} is stopped")
    assert state(other.pid) != "T"
    forking.handle.kill(child.number, signal.SIGKILL, tree=True)
    assert forking.exited(child).status == -signal.SIGKILL
    gone(worker)


def outputs(zygote: OwnedZygote) -> tuple[Output, list[int]]:
    """The first one that it reports, and its descriptors."""
    found: list[tuple[Output, list[int]]] = []

    def look() -> bool:
        for frame, descriptors in zygote.handle.receive_with_outputs():
            if isinstance(frame, Output):
                found.append((frame, descriptors))
            else:
                zygote.events.append(frame)
        return bool(found)

    wait_until(look, what="an output")
    return found[0]


def descriptors_of(zygote: OwnedZygote) -> list[str]:
    return os.listdir(f"/proc/{zygote.handle.pid}/fd")


PRINTED = 200_000
"""More than a pipe holds."""


def test_what_a_program_prints_goes_to_the_first_owner(forking, tmp_path):
    """With its name, and apart from its log records."""
    forking.exited(forking.spawn("leave", status=0))
    before = descriptors_of(forking)
    args = {"text": "printed", "path": str(tmp_path / "exit")}
    ask(forking, "leave_politely", program="emails", worker=2, args=args)
    output, (prints, records) = outputs(forking)
    assert (output.program, output.worker) == ("emails", 2)
    with open(prints) as file, socket.socket(fileno=records) as log:
        assert file.read() == "printed"
        assert log.recv(1) == b"", "the child has ended, and nobody else may write records as its own"
    wait_until(lambda: descriptors_of(forking) == before, what="the fork server keeps none of them")


def test_no_task_fails_because_nobody_reads_what_it_prints(forking, tmp_path):
    """The first owner is gone, and the child has a grace to end in: the fork server reads in its place."""
    args = {"text": "x" * PRINTED, "path": str(tmp_path / "exit")}
    ask(forking, "leave_politely", program="emails", orphan_grace=600.0, args=args)
    _, given = outputs(forking)
    close_all(given)
    forking.handle.close()
    wait_until((tmp_path / "exit").exists, what="all of it was printed")
    assert forking.leaves() == 0


def test_a_child_that_cannot_begin_says_why_and_is_no_second_fork_server(capfd):
    """Whatever goes wrong between the fork and its entry: behind it is the fork server's own code."""
    with OwnedZygote(Method.FORK) as zygote:
        child = ask(zygote, "leave_at_once", limits={"no_such_limit": 1})
        assert zygote.exited(child).status == 1
        assert zygote.exited(zygote.spawn("leave", status=3)).status == 3
        assert sum(isinstance(event, Exited) for event in zygote.events) == 2
    said = capfd.readouterr().err
    assert "squids: a child could not begin: " in said
    assert "Traceback" not in said


def test_it_serves_until_no_owner_and_no_child_is_left(forking):
    """A child that owns children is an owner like any other."""
    child = forking.spawn("hold_out", grace=600.0)
    child.told()
    forking.handle.close()
    wait_until(lambda: state(forking.handle.pid) == "S", what="it sleeps")
    assert forking.handle.reap() is None
    os.kill(child.pid, signal.SIGKILL)
    assert forking.leaves() == 0
