"""Decides when children whose owner is gone are killed. Pure.

Nobody extends the messages of a worker whose consumer is gone: it has a grace to finish, and is
then killed with all that it started, before its messages are given to somebody else.
"""

from __future__ import annotations


class Orphans:
    """Children without an owner, and when each one's grace ends."""

    def __init__(self) -> None:
        self._until: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._until)

    def orphaned(self, child: int, grace: float, now: float) -> None:
        """The child's owner is gone at `now`; it has `grace` seconds."""
        self._until.setdefault(child, now + grace)

    def ended(self, child: int) -> None:
        self._until.pop(child, None)

    def due(self, now: float) -> list[int]:
        """Children whose grace is over: kill their groups. Each is named once."""
        over = [child for child, until in self._until.items() if until <= now]
        for child in over:
            del self._until[child]
        return over

    def wakes_at(self) -> float | None:
        return min(self._until.values()) if self._until else None
