"""A message as SQS gave it: what the transport reads from an answer, and the pool holds."""

from __future__ import annotations

from typing import NamedTuple


class Received(NamedTuple):
    """One message of a receive. `sent_at`: seconds since the epoch. `group`: on FIFO queues."""

    message_id: str
    receipt: str
    body: str
    receive_count: int = 1
    sent_at: float | None = None
    group: str | None = None
