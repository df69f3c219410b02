"""A channel in a loop: senders just send, and nothing is left in the loop when it is closed."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine

import pytest

from squids.process.channel import Channel
from squids.process.loop_channel import LoopChannel
from squids.process.protocol import Alive, Drain
from tests.support.channels import fill

Pair = tuple[LoopChannel, Channel]


@pytest.fixture
def pair():
    """The end in the loop, and its peer."""
    ours, theirs = socket.socketpair()
    channel, peer = LoopChannel(ours), Channel(theirs)
    yield channel, peer
    channel.close()
    peer.close()


def watched(loop: asyncio.AbstractEventLoop, descriptor: int) -> tuple[bool, bool]:
    """Whether the loop reads this descriptor, and whether it writes to it; neither afterwards."""
    return loop.remove_reader(descriptor), loop.remove_writer(descriptor)


async def all_of(channel: Channel, count: int) -> list[object]:
    """So many frames, while the loop of the sender runs."""
    frames: list[object] = []
    while len(frames) < count:
        frames += channel.receive()
        await asyncio.sleep(0)
    return frames


def in_loop(test: Callable[[Pair], Coroutine[None, None, None]]) -> Callable[[Pair], None]:
    """Run a coroutine as a test."""

    def run(pair: Pair) -> None:
        asyncio.run(asyncio.wait_for(test(pair), 30))

    return run


@in_loop
async def test_what_comes_is_heard(pair):
    ours, theirs = pair
    heard: asyncio.Queue[object] = asyncio.Queue()

    def hear(name: str) -> None:
        for frame in ours.receive():
            heard.put_nowait((name, frame))

    ours.watch(asyncio.get_running_loop(), hear, "emails")
    theirs.send(Alive())
    assert await heard.get() == ("emails", Alive())


@in_loop
async def test_what_the_kernel_does_not_take_is_sent_when_it_does(pair):
    loop = asyncio.get_running_loop()
    ours, theirs = pair
    ours.watch(loop, ours.receive)
    sent = fill(ours)
    for number in range(5):
        ours.send(Drain(number))
    assert (await all_of(theirs, sent + 5))[-1] == Drain(4)
    assert not ours.wants_write
    assert watched(loop, ours.fileno()) == (True, False)  # An idle socket is always writable.


@in_loop
async def test_what_waits_before_there_is_a_loop_is_sent_once_there_is(pair):
    ours, theirs = pair
    sent = fill(ours)
    ours.watch(asyncio.get_running_loop(), ours.receive)
    await all_of(theirs, sent)
    assert not ours.wants_write


@in_loop
async def test_frames_that_are_taken_at_once_do_not_touch_the_loop(pair):
    """Each job and each result goes this way."""
    loop = asyncio.get_running_loop()
    ours, _ = pair
    ours.watch(loop, ours.receive)
    ours.send(Alive())
    assert watched(loop, ours.fileno()) == (True, False)


@in_loop
async def test_a_closed_channel_leaves_nothing_in_the_loop(pair):
    """Its descriptor may be the next file's."""
    loop = asyncio.get_running_loop()
    ours, _ = pair
    descriptor = ours.fileno()
    ours.watch(loop, ours.receive)
    fill(ours)
    ours.close()
    ours.unwatch()
    other = os.open(os.devnull, os.O_RDONLY)
    os.dup2(other, descriptor)
    assert watched(loop, descriptor) == (False, False)
    os.close(other)
    if other != descriptor:
        os.close(descriptor)


@in_loop
async def test_a_peer_that_goes_while_frames_wait_is_written_to_no_longer(pair):
    loop = asyncio.get_running_loop()
    ours, theirs = pair
    ours.watch(loop, ours.receive)
    fill(ours)
    theirs.close()
    while not ours.closed:
        await asyncio.sleep(0)
    for _ in range(3):  # A socket without a peer is always writable: each pass of the loop calls the writer.
        await asyncio.sleep(0)
    assert watched(loop, ours.fileno()) == (True, False)


@in_loop
async def test_another_callback_takes_the_place_of_the_first(pair):
    ours, theirs = pair
    heard = asyncio.Event()
    ours.watch(asyncio.get_running_loop(), pytest.fail, "the first callback was called")
    ours.watch(asyncio.get_running_loop(), heard.set)
    theirs.send(Alive())
    await heard.wait()
