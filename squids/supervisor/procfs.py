"""What the system says of processes: CPU and memory. Linux; elsewhere nothing is known."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100

FRESH_SECONDS = 60.0
"""How old the last look may be for CPU to be counted from it; else from the process's start."""


MEMORY_SECONDS = 10.0
"""How old a look at a process's memory may be: it costs ten times as much as the rest."""


@dataclass(frozen=True, slots=True)
class Usage:
    """`cpu`: parts of one core. `memory`: bytes, what processes share being divided among them (PSS)."""

    cpu: float
    memory: int


class Meter:
    """Looks at processes, and remembers the CPU time that each had."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[float, float]] = {}
        self._memory: dict[int, tuple[float, int]] = {}

    def measure(self, pids: Mapping[str, Sequence[int]]) -> dict[str, Usage]:
        """For each name what its processes use together. May be called in a thread."""
        found = {}
        last: dict[int, tuple[float, float]] = {}
        for name, members in pids.items():
            cpu, memory = 0.0, 0
            for pid in members:
                now = time.monotonic()
                seconds, started = _times(pid)
                if seconds is None:
                    continue
                before = self._last.get(pid)
                if before is not None and 0.5 < now - before[0] < FRESH_SECONDS:
                    cpu += (seconds - before[1]) / (now - before[0])
                else:
                    cpu += seconds / max(now - started, 0.1)
                last[pid] = (now, seconds)
                memory += self._pss(pid, now)
            found[name] = Usage(round(cpu, 4), memory)
        self._last.update(last)
        if len(self._last) > 4 * len(last) + 1000:
            self._last = last
            self._memory = {pid: seen for pid, seen in self._memory.items() if pid in last}
        return found

    def _pss(self, pid: int, now: float) -> int:
        seen = self._memory.get(pid)
        if seen is None or now - seen[0] > MEMORY_SECONDS:
            seen = self._memory[pid] = (now, _pss(pid))
        return seen[1]


def _times(pid: int) -> tuple[float | None, float]:
    """CPU seconds, and the start in monotonic seconds (more exactly, since boot)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None, 0.0
    offset = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
    return (int(fields[11]) + int(fields[12])) / TICKS, int(fields[19]) / TICKS - offset


def _pss(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def out_of_memory_kills() -> int | None:
    """How often the kernel killed for want of memory in this process's control group (cgroup v2)."""
    try:
        with open("/proc/self/cgroup") as file:
            path = next(line for line in file if line.startswith("0::")).strip()[3:]
        with open(f"/sys/fs/cgroup{path}/memory.events") as file:
            return sum(int(line.split()[1]) for line in file if line.startswith("oom_kill "))
    except (OSError, StopIteration, ValueError):
        return None
