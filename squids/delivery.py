"""A message on its way from SQS to its task: one shape for the transport, the pool, and what runs it."""

from __future__ import annotations

from typing import NamedTuple


class Delivery(NamedTuple):
    """A message that was received. Without a receipt, it did not come from SQS, or is settled elsewhere."""

    message_id: str
    receipt: str
    body: str
    receive_count: int = 1
    sent_at: float | None = None
    """Seconds since the epoch, if known."""
    group: str | None = None
    """On FIFO queues."""
