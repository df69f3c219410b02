"""A consumer process as the supervisor knows it."""

from __future__ import annotations

import socket

import pytest

from squids.process.figures import ConsumerFigures
from squids.process.loop_channel import LoopChannel
from squids.process.protocol import Booted, Degraded, Figures
from squids.process.zygote_handle import ZygoteHandle
from squids.supervisor.consumer_handle import ConsumerHandle
from squids.supervisor.generation import Generation
from squids.supervisor.settings import AppSpec, ProgramSettings

APP = AppSpec(app="shop:app", directory="/srv")


@pytest.fixture
def server():
    ours, theirs = socket.socketpair()
    yield ZygoteHandle(4242, ours)
    ours.close()
    theirs.close()


@pytest.fixture
def consumer(server) -> ConsumerHandle:
    settings = ProgramSettings("emails", "emails", APP, ())
    return ConsumerHandle(1, "emails", settings, Generation(1, APP, handle=server))


def test_its_fork_server_is_its_parent_until_that_dies(consumer, server):
    assert consumer.fork_server is server
    consumer.adopted = True
    assert consumer.fork_server is None


@pytest.mark.parametrize(
    ("frames", "failure"),
    [
        ((), ""),
        ((Degraded("no port"),), "no port"),
        ((Booted(None), Degraded("no route")), ""),
    ],
)
def test_what_it_says_before_it_is_up_is_why_it_cannot_start(consumer, frames, failure):
    ours, theirs = socket.socketpair()
    peer, consumer.channel = LoopChannel(theirs), LoopChannel(ours)
    for frame in frames:
        peer.send(frame)
    consumer.hear()
    assert consumer.failure == failure
    peer.close()
    consumer.close()


def test_what_it_says_of_itself_is_kept(consumer):
    """The last of each; before the first there is nothing to show."""
    ours, theirs = socket.socketpair()
    peer, consumer.channel = LoopChannel(theirs), LoopChannel(ours)
    assert (consumer.figures, consumer.worker_pids, consumer.hear()) == (None, (), [])
    for frame in (Booted(None), Degraded("no route"), Figures(ConsumerFigures(done=1, pids=(4243,)))):
        peer.send(frame)
    assert len(consumer.hear()) == 3
    assert (consumer.degraded, consumer.worker_pids) == ("no route", (4243,))
    peer.close()
    assert consumer.hear() == []
    assert consumer.channel.closed
    consumer.close()
