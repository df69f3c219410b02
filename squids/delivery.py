"""A received message, in one form for the SQS client, the consumer and the code that runs it. Pure."""

from __future__ import annotations

from typing import NamedTuple


class Delivery(NamedTuple):
    """A received message. The receipt is empty if it did not come from SQS, or is settled elsewhere."""

    message_id: str
    receipt: str
    body: str
    receive_count: int = 1
    sent_at: float | None = None
    """Seconds since the epoch, if known."""
    group: str | None = None
    """On FIFO queues only."""
