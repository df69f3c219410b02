"""Finds the CPU limit of control groups: which files to read, and what they say. Pure.

A container, a pod or a unit with CPUQuota= may use all CPUs, but only for a part of the time. The limit is
that of its control group or of one around it; those outside of the container cannot be seen.

Sources: cgroups(7), https://docs.kernel.org/admin-guide/cgroup-v2.html (cpu.max), and
https://docs.kernel.org/scheduler/sched-bwc.html (version 1).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from squids.process.mountinfo import Mounted

V2: tuple[str, ...] = ("cpu.max",)
V1: tuple[str, ...] = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
"""The files with quota and period, in microseconds."""


@dataclass(frozen=True, slots=True)
class GroupFiles:
    """The files of a control group that hold its CPU limit."""

    directory: str
    names: tuple[str, ...]


def limit_of(groups: str, mounts: Iterable[Mounted], read: Callable[[str], str | None]) -> float | None:
    """Return how many CPUs the time of this process is worth; None if it is not limited.

    `groups`: the text of /proc/self/cgroup. `read` returns the text of a file, None if it cannot be read.
    """
    limits = []
    for found in groups_of(groups, mounts):
        texts = [read(f"{found.directory}/{name}") for name in found.names]
        limit = quota(" ".join(text for text in texts if text is not None))
        if limit is not None:
            limits.append(limit)
    return min(limits, default=None)


def workers_for(limit: float) -> int:
    """Return the number of workers that a limit is enough for, rounded up."""
    return max(1, math.ceil(limit - 1e-9))


def quota(text: str) -> float | None:
    """Return the CPUs of `200000 100000`; None if there is no limit ("max", or -1), or this is none."""
    words = text.split()
    if len(words) != 2 or not all(word.isascii() and word.isdigit() for word in words):
        return None
    used, period = int(words[0]), int(words[1])
    return used / period if used > 0 and period > 0 else None


def groups_of(groups: str, mounts: Iterable[Mounted]) -> Iterator[GroupFiles]:
    """Yield the control groups of this process, and those around them."""
    paths = dict(_paths(groups))
    for mounted in mounts:
        kind, options = mounted.kind, mounted.options
        if kind == "cgroup2" and "" in paths:
            made, path = V2, paths[""]
        elif kind == "cgroup" and "cpu" in options and "cpu" in paths:
            made, path = V1, paths["cpu"]
        else:
            continue
        for directory in _upwards(mounted.place, _below(path, mounted.root)):
            yield GroupFiles(directory, made)


def _paths(groups: str) -> Iterator[tuple[str, str]]:
    """Yield each controller with the path of its group. That of version 2 has the name ""."""
    for line in groups.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            yield "", path
        for name in filter(None, controllers.split(",")):
            yield name, path


def _below(path: str, root: str) -> str:
    """Return the path of a group below the one that is mounted; "" for that one, or if it lies elsewhere."""
    root = root.rstrip("/")
    below = path[len(root) :] if path == root or path.startswith(f"{root}/") else ""
    return "" if "/.." in below else below.rstrip("/")


def _upwards(place: str, below: str) -> Iterator[str]:
    while below:
        yield place + below
        below = below.rpartition("/")[0]
    yield place
