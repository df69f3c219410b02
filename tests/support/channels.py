"""Channels in a state that takes some work."""

from __future__ import annotations

from squids.process.channel import Channel
from squids.process.protocol import Results


def fill(channel: Channel) -> int:
    """Send until the kernel takes no more; how many frames were sent."""
    count = 0
    while not channel.wants_write:
        channel.send(Results([[count, "x" * 10_000]]))
        count += 1
    return count
