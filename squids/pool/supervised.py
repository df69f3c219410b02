"""A pooled consumer under a supervisor: its socket, and what it says there."""

from __future__ import annotations

import asyncio
import logging

from squids.pool.inflight import Phase
from squids.pool.pooled_consumer import PooledConsumer
from squids.process.channel import Channel
from squids.process.figures import ImportFacts
from squids.process.liveness import ToOwner
from squids.process.protocol import Drain, Follow, Pause, Scale


def obey(
    consumer: PooledConsumer,
    owner: Channel,
    loop: asyncio.AbstractEventLoop,
    facts: ImportFacts | None = None,
) -> None:
    """Carry out what the supervisor says, and tell it how things are. When it is gone: drain and leave.

    `facts`: of what this process imported for itself.
    """

    def flush() -> None:
        owner.flush()
        if not owner.wants_write:
            loop.remove_writer(owner.fileno())

    def flush_later() -> None:
        loop.add_writer(owner.fileno(), flush)

    def hear() -> None:
        for frame in owner.receive():
            match frame:
                case Drain(within):
                    consumer.stop("the supervisor", within)
                case Pause(on):
                    consumer.pause(on)
                case Scale(workers):
                    consumer.scale(workers)
                case Follow(on):
                    consumer.following = on
                    _show(on)
        if owner.closed:
            loop.remove_reader(owner.fileno())
            loop.remove_writer(owner.fileno())
            if consumer.inflight.phase is Phase.RUNNING:
                consumer.stop("the supervisor is gone")

    consumer.report_to(ToOwner(owner, flush_later, facts))
    loop.add_reader(owner.fileno(), hear)


def _show(on: bool) -> None:
    """What is followed is seen, also where the log shows errors only."""
    hidden = logging.getLogger().getEffectiveLevel() > logging.INFO
    logging.getLogger("squids").setLevel(logging.INFO if on and hidden else logging.NOTSET)
