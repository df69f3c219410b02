"""The number of usable CPUs, and where it comes from."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from squids.process.cpu_limits import limit_of, workers_for
from squids.process.mountinfo import read_mounts


@dataclass(frozen=True, slots=True)
class Cpus:
    """A number of CPUs. `source`: what decided it, for people."""

    count: int
    source: str


def usable_cpus() -> int:
    """Return the number of CPUs that this process may use."""
    return find_cpus().count


def find_cpus() -> Cpus:
    """Return the CPUs that this process may use, by affinity and the CPU limit of its container or unit.

    A limit is rounded up. With Python 3.13 or newer, PYTHON_CPU_COUNT (or -X cpu_count) is taken as it is.
    https://docs.python.org/3/using/cmdline.html#envvar-PYTHON_CPU_COUNT
    """
    if sys.version_info >= (3, 13):
        usable = os.process_cpu_count() or 1
        if _is_set():
            return Cpus(usable, "PYTHON_CPU_COUNT")
    elif hasattr(os, "sched_getaffinity"):
        usable = len(os.sched_getaffinity(0))
    else:
        usable = os.cpu_count() or 1
    limit = _limit()
    if limit is not None and workers_for(limit) < usable:
        return Cpus(workers_for(limit), "CPU limit of the cgroup")
    if usable < (os.cpu_count() or 1):
        return Cpus(usable, "CPU affinity")
    return Cpus(usable, "CPUs of the machine")


def _is_set() -> bool:
    given = sys._xoptions.get("cpu_count")
    if given is None and not sys.flags.ignore_environment:
        given = os.environ.get("PYTHON_CPU_COUNT")
    return bool(given) and given != "default"


def _limit() -> float | None:
    if sys.platform != "linux":
        return None
    groups = _read("/proc/self/cgroup")
    return limit_of(groups, read_mounts(), _read) if groups else None


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return None
