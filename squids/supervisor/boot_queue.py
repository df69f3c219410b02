"""How many consumers boot at once, and in which order. Pure.

Booting is the expensive part of a process's life. All of them at once would only make each slower,
and the first one ready as late as the last: so no more boot at once than there are CPUs.
"""

from __future__ import annotations

import heapq


class BootQueue:
    """Who may boot, and who waits for it. Children are numbers."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: list[tuple[int, int]] = []
        self._booting: set[int] = set()
        self._cancelled: set[int] = set()

    def want(self, child: int, priority: int) -> None:
        """It is to boot: lower priorities first, and among equals who came first."""
        heapq.heappush(self._waiting, (priority, child))

    def over(self, child: int) -> None:
        """It has booted, or will not."""
        if child in self._booting:
            self._booting.discard(child)
        elif any(child == waiting for _, waiting in self._waiting):
            self._cancelled.add(child)

    def next(self) -> list[int]:
        """Who may begin now."""
        begin = []
        while self._waiting and len(self._booting) < self._most:
            _, child = heapq.heappop(self._waiting)
            if child in self._cancelled:
                self._cancelled.discard(child)
                continue
            self._booting.add(child)
            begin.append(child)
        return begin
