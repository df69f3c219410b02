"""A consumer's start, rehearsed before the fork by which it is made.

What is run here for the first time is made once for all, and not in each process.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

from squids.options import ConsumerOptions
from squids.pool.actions import Receive
from squids.pool.consumer_settings import client_of, settings_of
from squids.pool.pooled_consumer import PooledConsumer
from squids.pool.settings import PoolSettings
from squids.process.zygote_handle import ZygoteHandle
from squids.queues import QueueRef

if TYPE_CHECKING:
    from squids.app import App
    from squids.sqs import QueueClient

TIMES = 2
"""A second call goes other ways than the first: over a connection that is open already."""


def rehearse(app: App, consumers: list[dict[str, Any]]) -> None:
    """Go through what consumers of these options will do at first, without threads and without the network.

    No loop is left, no thread and no socket. Clients are made only where nobody has to be asked for
    credentials.
    """
    for _ in range(TIMES):
        asyncio.run(asyncio.sleep(0))
    clients = app.sqs.has_static_credentials()
    made: list[Any] = []
    for options in consumers:
        try:
            settings = settings_of(ConsumerOptions(**options), QueueRef.parse(options["queue"]))
            client = client_of(app, settings)
            if options is consumers[0]:
                asyncio.run(_rehearse_decisions(settings, client))
            if clients and client.prepare() not in made:
                client.rehearse(TIMES)
                made.append(client.prepare())
        except Exception:
            return  # No region, say. The consumer will meet it too, and tell of it.


async def _rehearse_decisions(settings: PoolSettings, client: QueueClient) -> None:
    """Those of a consumer whose queue is empty."""
    ours, theirs = socket.socketpair()
    for _ in range(TIMES):
        consumer = PooledConsumer(settings, client, ZygoteHandle.inherited(ours))
        consumer.inflight.worker_ready(1)
        for now in (0.0, 1.0, 2.0):
            for action in consumer.inflight.decide(now):
                if isinstance(action, Receive):
                    consumer.inflight.received(action.poll.number, [], 0.1, now)
            consumer.inflight.wakes_at()
    ours.close()
    theirs.close()
