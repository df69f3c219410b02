"""Decides when children without an owner are killed. Pure.

If a consumer is gone, nothing extends its workers' messages. A worker then has a grace period to finish, and
is killed with its descendants before its messages are delivered again.
"""

from __future__ import annotations


class Orphans:
    """Children without an owner, and the ends of their grace periods."""

    def __init__(self) -> None:
        self._until: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._until)

    def orphaned(self, child: int, grace: float, now: float) -> None:
        """The child's owner is gone at `now`; the child has `grace` seconds."""
        self._until.setdefault(child, now + grace)

    def ended(self, child: int) -> None:
        self._until.pop(child, None)

    def due(self, now: float) -> list[int]:
        """Return the children whose grace period is over, each once. Kill their process groups."""
        over = [child for child, until in self._until.items() if until <= now]
        for child in over:
            del self._until[child]
        return over

    def wakes_at(self) -> float | None:
        return min(self._until.values()) if self._until else None
