"""Warms up a consumer's start, before the fork.

What runs here for the first time is set up once and shared, instead of once in each process.
"""

from __future__ import annotations

import asyncio
import socket
from functools import partial
from typing import TYPE_CHECKING, Any

from squids.options import ConsumerOptions
from squids.pool.actions import Receive
from squids.pool.consumer_main import client_of, settings_of
from squids.pool.pooled_consumer import PooledConsumer
from squids.pool.settings import PoolSettings
from squids.pool.workers import Workers
from squids.process.zygote_handle import ZygoteHandle

if TYPE_CHECKING:
    from squids.app import App
    from squids.sqs import QueueClient

TIMES = 2
"""The second call takes other paths than the first: it has an open connection."""


def warm_up(app: App, consumers: list[dict[str, Any]]) -> None:
    """Do what consumers with these options will do first, without threads or a network.

    No loop, thread or socket remains. Clients are made only if credentials are static.
    """
    for _ in range(TIMES):
        asyncio.run(asyncio.sleep(0))
    clients = app.sqs.has_static_credentials()
    made: list[Any] = []
    for options in consumers:
        try:
            settings = settings_of(ConsumerOptions(**options), app.queue_ref(options["queue"]))
            client = client_of(app, settings)
            if options is consumers[0]:
                asyncio.run(_rehearse_decisions(settings, client))
            if clients and client.prepare() not in made:
                client.warm_up(TIMES)
                made.append(client.prepare())
        except Exception:
            return  # For instance, there is no region. The consumer will fail likewise, and report it.


async def _rehearse_decisions(settings: PoolSettings, client: QueueClient) -> None:
    """Let a consumer of an empty queue decide."""
    ours, theirs = socket.socketpair()
    for _ in range(TIMES):
        consumer = PooledConsumer(settings, client, partial(Workers, ZygoteHandle.inherited(ours)))
        consumer.inflight.worker_ready(1)
        for now in (0.0, 1.0, 2.0):
            for action in consumer.inflight.decide(now):
                if isinstance(action, Receive):
                    consumer.inflight.received(action.poll.number, [], 0.1, now)
            consumer.inflight.wakes_at()
    ours.close()
    theirs.close()
