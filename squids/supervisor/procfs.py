"""What processes use of CPU, memory and descriptors, from Linux's /proc; unknown on other systems."""

from __future__ import annotations

import errno
import os
import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100

FRESH_SECONDS = 60.0
"""CPU use is computed since the last sample if that is not older; otherwise since the process's start."""


MEMORY_SECONDS = 10.0
"""How long a memory sample is reused: it costs ten times as much as the rest."""


@dataclass(frozen=True, slots=True)
class Usage:
    """`cpu`: in cores. `memory`: bytes, with shared pages divided among their processes (PSS)."""

    cpu: float
    memory: int


class Meter:
    """Measures processes, and remembers their CPU times."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[float, float]] = {}
        self._memory: dict[int, tuple[float, int]] = {}

    def measure(self, pids: Mapping[str, Sequence[int]]) -> dict[str, Usage]:
        """Return the total use of each name's processes. May be called in a thread."""
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
    """Return the CPU seconds, and the start on the monotonic clock (converted from seconds since boot)."""
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


def check_free_descriptors(count: int) -> None:
    """Raise OSError (EMFILE) if this process has fewer free descriptors than this."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if soft == resource.RLIM_INFINITY or not os.path.isdir("/proc/self/fd"):
        return
    if len(os.listdir("/proc/self/fd")) + count > soft:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def out_of_memory_kills() -> int | None:
    """Return how often the OOM killer killed in this process's cgroup (v2), or None if unknown."""
    try:
        with open("/proc/self/cgroup") as file:
            path = next(line for line in file if line.startswith("0::")).strip()[3:]
        with open(f"/sys/fs/cgroup{path}/memory.events") as file:
            return sum(int(line.split()[1]) for line in file if line.startswith("oom_kill "))
    except (OSError, StopIteration, ValueError):
        return None
