"""A socket pair's two ends: nothing blocks the owner, no result is lost."""

from __future__ import annotations

import os
import resource
import socket
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from squids.process import channel as channel_module
from squids.process.channel import DROP_ABOVE, RECEIVE_BYTES, BlockingChannel, Channel
from squids.process.frames import FrameError, encode
from squids.process.protocol import Assign, Kill, Recall, Results, Spawned, WorkerReady, to_wire
from tests.support.channels import fill


@pytest.fixture
def pair():
    """The owner's end and the child's."""
    ours, theirs = socket.socketpair()
    owner, child = Channel(ours), BlockingChannel(theirs)
    yield owner, child
    owner.close()
    child.close()


@pytest.fixture
def owners():
    """Two ends of the non-blocking kind, as between an owner and its zygote."""
    one, other = (Channel(sock) for sock in socket.socketpair())
    yield one, other
    one.close()
    other.close()


def all_of(channel: Channel, other: Channel) -> list:
    """What comes at `other` once `channel` has sent all that waits."""
    frames = other.receive()
    while channel.wants_write:
        channel.flush()
        frames += other.receive()
    return frames + other.receive_all()


def test_frames_go_both_ways(pair):
    """Commands down, facts up."""
    owner, child = pair
    owner.send(Assign([[1, "body"]]))
    owner.send(Recall())
    assert [child.receive(), child.receive()] == [Assign([[1, "body"]]), Recall()]
    child.send(Results([[1, "done"]]))
    assert owner.receive() == [Results([[1, "done"]])]
    assert owner.receive() == []


def test_pending_tells_whether_receive_would_wait(pair):
    """A frame on the socket and one that was read along both count."""
    owner, child = pair
    assert not child.pending()
    owner.send(Recall())
    owner.send(WorkerReady())
    assert child.pending()
    child.receive()
    assert child.pending()
    child.receive()
    assert not child.pending()
    owner.close()
    assert child.pending()
    assert child.receive() is None


def test_pending_works_with_high_descriptors(pair):
    """An app that has opened a thousand files is no reason to fail (select's limit is 1024)."""
    owner, child = pair
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1200:
        pytest.skip("descriptors are limited here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    try:
        os.dup2(child.fileno(), 1100, inheritable=False)
        high = BlockingChannel(socket.socket(fileno=1100))
        assert not high.pending()
        owner.send(Recall())
        assert high.pending()
        assert high.receive() == Recall()
        high.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_full_buffer_never_blocks_and_loses_nothing(owners):
    """What the kernel does not take is kept, and comes in order."""
    one, other = owners
    count = fill(one)
    for number in range(count, count + 50):
        one.send(Results([[number, "x" * 10_000]]))
    got = all_of(one, other)
    assert [frame.results[0][0] for frame in got] == list(range(count + 50))


def test_figures_are_dropped_when_the_buffer_is_full_and_results_are_not(owners):
    """A stalled owner costs figures only."""
    one, other = owners
    fill(one)
    while one._waiting_bytes <= DROP_ABOVE:
        one.send(Results([["x" * 10_000]]))
    one.send(Spawned(1, 2), droppable=True)
    one.send(Spawned(2, 2))
    got = all_of(one, other)
    assert Spawned(1, 2) not in got
    assert Spawned(2, 2) in got


def test_figures_are_sent_when_there_is_room(owners):
    """Droppable does not mean dropped."""
    one, other = owners
    one.send(Spawned(1, 2), droppable=True)
    assert other.receive() == [Spawned(1, 2)]


def test_the_end_is_seen(pair):
    """The end of the socket means that the peer is gone."""
    owner, child = pair
    child.send(WorkerReady())
    child.close()
    assert owner.receive() == [WorkerReady()]
    assert owner.receive() == []
    assert owner.closed


def test_sending_to_nobody_is_no_error(pair):
    """The owner hears of the end when it reads; it need not look before it sends."""
    owner, child = pair
    child.close()
    owner.send(Recall())
    owner.send(Recall())
    assert owner.closed
    assert not owner.wants_write


def test_a_child_whose_owner_is_gone_hears_of_it(pair):
    """A worker ends its work, and cannot report it."""
    owner, child = pair
    owner.send(Assign([]))
    owner.close()
    assert child.receive() == Assign([])
    assert child.receive() is None
    with pytest.raises(BrokenPipeError):
        child.send(WorkerReady())


def test_what_a_dead_peer_said_is_heard_to_the_last_byte(pair):
    """Results that a worker sent before it was killed count, however many."""
    owner, child = pair
    count = 40
    for number in range(count):
        child.send(Results([[number, "x" * 4_000]]))
    child.close()
    frames = owner.receive_all()
    assert [frame.results[0][0] for frame in frames] == list(range(count))
    assert owner.closed


def test_a_frame_larger_than_a_read_arrives(pair):
    """A message of 1 MiB goes through, though the kernel takes it in pieces."""
    owner, child = pair
    body = "x" * (4 * RECEIVE_BYTES)
    got = []
    reader = threading.Thread(target=lambda: got.append(child.receive()))
    reader.start()
    owner.send(Assign([[1, body]]))
    while owner.wants_write:
        owner.flush()
    reader.join(20)
    assert got == [Assign([[1, body]])]


def test_descriptors_travel_beside_their_frame(owners):
    """A child's descriptors come in the order of the frames, and are inherited by nobody by chance."""
    one, other = owners
    readers = []
    for number in range(3):
        read, write = os.pipe()
        readers.append(read)
        one.send(Kill(number, 0), [write])
        os.close(write)
    frames: list[Any] = []
    sets: list[Any] = []
    while len(frames) < 3:
        more, descriptors = other.receive_with_descriptors()
        frames += more
        if descriptors is not None:
            sets.append(descriptors)
    assert [frame.child for frame in frames] == [0, 1, 2]
    for number, (descriptor,) in enumerate(sets):
        assert not os.get_inheritable(descriptor)
        os.write(descriptor, b"%d" % number)
        os.close(descriptor)
        assert os.read(readers[number], 10) == b"%d" % number
        assert os.read(readers[number], 10) == b""
        os.close(readers[number])


def test_descriptors_that_wait_may_be_closed_by_the_sender(owners):
    """A full buffer keeps duplicates, and closes them when they are sent."""
    one, other = owners
    fill(one)
    read, write = os.pipe()
    one.send(Kill(7, 0), [write])
    os.close(write)
    received = None
    while received is None:
        one.flush()
        received = other.receive_with_descriptors()[1]
    os.close(*received)
    assert os.read(read, 1) == b""  # Nobody holds a duplicate any more.
    os.close(read)


def test_closing_closes_descriptors_that_waited(owners):
    """Nothing is leaked by an owner that is gone."""
    one, _ = owners
    fill(one)
    read, write = os.pipe()
    one.send(Kill(7, 0), [write])
    os.close(write)
    one.close()
    assert os.read(read, 1) == b""
    os.close(read)


def test_garbage_is_an_error(pair):
    """A peer that speaks otherwise is a bug, and said so."""
    owner, child = pair
    child._socket.sendall(b"\xff" * 8)
    with pytest.raises(FrameError):
        owner.receive()


def test_sockets_are_not_inherited(pair):
    """A task's own subprocess keeps no end of ours open."""
    owner, child = pair
    assert not os.get_inheritable(owner.fileno())
    assert not os.get_inheritable(child.fileno())


def test_one_read_of_the_socket_for_one_wake_up(pair, monkeypatch):
    """The hot path: a wake-up with a short frame costs one call of the system."""
    owner, child = pair

    class Counted:
        def __init__(self, sock):
            self.sock, self.calls = sock, 0

        def recv(self, *arguments):
            self.calls += 1
            return self.sock.recv(*arguments)

        def __getattr__(self, name):
            return getattr(self.sock, name)

    owner._socket = counted = Counted(owner._socket)
    child.send(Results([[1, "done"]]))
    assert owner.receive() == [Results([[1, "done"]])]
    assert counted.calls == 1


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 3000), max_size=30), st.integers(1, 4000))
def test_frames_survive_any_size_of_reads(sizes, read_size):
    """However little a read takes, the frames are the same."""
    one, other = (Channel(sock) for sock in socket.socketpair())
    before = channel_module.RECEIVE_BYTES
    channel_module.RECEIVE_BYTES = read_size
    try:
        for number, size in enumerate(sizes):
            one.send(Assign([[number, "x" * size]]))
        got = all_of(one, other)
    finally:
        channel_module.RECEIVE_BYTES = before
        one.close()
        other.close()
    assert [[len(job[1]) for job in frame.jobs] for frame in got] == [[size] for size in sizes]


def test_an_encoded_frame_is_sent_as_it_is(pair):
    """What was encoded before is not encoded again."""
    owner, child = pair
    child.send_encoded(encode(to_wire(WorkerReady())))
    assert owner.receive() == [WorkerReady()]


def test_it_says_whether_its_owner_lives_also_with_frames_unread(pair):
    """End of file alone would come only after them; and a dismissed worker still has its owner."""
    owner, child = pair
    owner.send(Recall())
    owner.end_sending()
    assert child.owner_lives()
    owner.close()
    assert not child.owner_lives()
    assert child.receive() == Recall()
