"""Decides the order inside FIFO message groups: which held message may run, and which must not.

Within a group one message is in work at a time, in the order in which SQS gave them, and
the next starts only when the one before is settled: its delete confirmed. When one fails,
those behind it must not run here, for it comes first again: they go back unrun. SQS keeps
them behind it, since it hands out nothing of a group while an earlier message is in flight.

Messages without a group are nobody's neighbours: this module never hears of them.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html
"""

from __future__ import annotations


class Groups:
    """The held messages of each group, in order. The first is the head: the only one that may run."""

    def __init__(self) -> None:
        self._members: dict[str, list[str]] = {}

    def add(self, group: str, message_id: str) -> bool:
        """Take a message at the group's end. True if it is the head, and may run."""
        members = self._members.setdefault(group, [])
        if message_id in members:
            raise ValueError(f"message {message_id} is already held in group {group}")
        members.append(message_id)
        return len(members) == 1

    def followers(self, group: str) -> list[str]:
        """The messages behind the head, in order."""
        return self._members.get(group, [])[1:]

    def remove(self, group: str, message_id: str) -> str | None:
        """Forget a message that is held no more. The new head if this made one, else None."""
        members = self._members.get(group)
        if not members or message_id not in members:
            return None
        was_head = members[0] == message_id
        members.remove(message_id)
        if not members:
            del self._members[group]
            return None
        return members[0] if was_head else None
