"""The end of all workers: who is waited for, and who is killed."""

from __future__ import annotations

import asyncio
import signal
import socket

import pytest

from squids.pool.exits import Exits
from squids.process.channel import Channel
from squids.process.protocol import Exited, Kill
from squids.process.zygote_handle import ZygoteHandle
from tests.support.loops import run, until

SLOTS = {7: 1, 8: 2}


def ends(play, within: float = 600.0) -> list[int]:
    """The children that are killed, if a fork server does what the test plays."""

    async def scene() -> list[int]:
        ours, theirs = socket.socketpair()
        zygote, server = ZygoteHandle.inherited(ours), Channel(theirs)
        exits = Exits(zygote, asyncio.get_running_loop())
        waiting = asyncio.create_task(exits.wait(SLOTS, within))
        await until(lambda: exits._waiting)
        play(server, exits)
        await waiting
        killed = [] if server.closed else [frame for frame in server.receive() if isinstance(frame, Kill)]
        assert all(frame.signal == signal.SIGKILL and frame.group for frame in killed)
        zygote.close()
        server.close()
        return sorted(frame.child for frame in killed)

    return run(scene(), 60)


def test_it_ends_when_all_have_exited():
    assert ends(lambda server, exits: [server.send(Exited(child, 2, 0)) for child in (8, 7)]) == []


def test_those_that_take_too_long_are_named_and_killed(caplog):
    assert ends(lambda server, exits: server.send(Exited(7, 2, 0)), within=0.2) == [8]
    (record,) = caplog.records
    assert (record.action, record.getMessage()) == ("killing", "killing worker 2: still exiting after 0 s")


def test_a_wait_that_is_cut_short_kills_at_once(caplog):
    """A person insists, and is told so elsewhere."""
    assert ends(lambda server, exits: exits.cut_short()) == [7, 8]
    assert caplog.records == []


def test_to_cut_short_what_has_not_begun_changes_nothing():
    """The stop that forces comes before the wait, which still lets idle workers exit."""

    async def scene() -> None:
        ours, theirs = socket.socketpair()
        exits = Exits(ZygoteHandle.inherited(ours), asyncio.get_running_loop())
        exits.cut_short()
        assert not exits._over.is_set()
        await exits.wait({}, 600)
        ours.close()
        theirs.close()

    run(scene(), 60)


@pytest.mark.parametrize("said", [[], [Exited(7, 2, 0)]])
def test_without_a_fork_server_there_is_nothing_to_wait_for(said):
    def play(server: Channel, exits: Exits) -> None:
        for frame in said:
            server.send(frame)
        server.close()

    assert ends(play) == []
