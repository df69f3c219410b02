"""Limits how many consumers boot at once, and decides their order. Pure.

Booting is the most expensive part of a process's life. If all booted at once, each would be slower and the
first ready as late as the last; so at most as many boot as there are CPUs.
"""

from __future__ import annotations

import heapq


class BootQueue:
    """Which consumers may boot, and which wait. They are identified by number."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: list[tuple[int, int]] = []
        self._booting: set[int] = set()
        self._cancelled: set[int] = set()

    def want(self, child: int, priority: int) -> None:
        """Add a consumer. Lower priorities boot first, equal ones in order of arrival."""
        heapq.heappush(self._waiting, (priority, child))

    def over(self, child: int) -> None:
        """The consumer has booted, or will not."""
        if child in self._booting:
            self._booting.discard(child)
        elif any(child == waiting for _, waiting in self._waiting):
            self._cancelled.add(child)

    def next(self) -> list[int]:
        """Return the consumers that may boot now."""
        begin = []
        while self._waiting and len(self._booting) < self._most:
            _, child = heapq.heappop(self._waiting)
            if child in self._cancelled:
                self._cancelled.discard(child)
                continue
            self._booting.add(child)
            begin.append(child)
        return begin
