"""Decides the order inside FIFO message groups: which held messages may run. Pure.

In a group, one message is run at a time, in SQS's order, and the next starts only when the previous one is
settled, with its delete confirmed. If one fails, the following must not run here, as it comes first again:
they are given back unrun. SQS keeps them behind it, because it delivers nothing of a group while an earlier
message is in flight.

Messages without a group are not known here.

Source:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html
"""

from __future__ import annotations


class Groups:
    """The held messages of each group, in order. Only the first, the head, may run."""

    def __init__(self) -> None:
        self._members: dict[str, list[str]] = {}

    def add(self, group: str, message_id: str) -> bool:
        """Append a message to its group. Returns whether it is the head, and may run."""
        members = self._members.setdefault(group, [])
        if message_id in members:
            raise ValueError(f"message {message_id} is already held in group {group}")
        members.append(message_id)
        return len(members) == 1

    def followers(self, group: str) -> list[str]:
        """Return the messages behind the head, in order."""
        return self._members.get(group, [])[1:]

    def remove(self, group: str, message_id: str) -> str | None:
        """Remove a message that is no longer held; return the group's new head if there is one."""
        members = self._members.get(group)
        if not members or message_id not in members:
            return None
        was_head = members[0] == message_id
        members.remove(message_id)
        if not members:
            del self._members[group]
            return None
        return members[0] if was_head else None
