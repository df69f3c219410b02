"""What the benchmarks share: looking at processes, and the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One line of the table: what, how much at most (or at least), what was measured."""

    what: str
    target: str
    measured: str
    ok: bool = True


def print_table(rows: Sequence[Row], runs: int) -> None:
    """What was missed is marked."""
    width = max(len(row.what) for row in rows)
    targets = max(len(row.target) for row in rows)
    print(f"{'':{width}}  {'target':{targets}}  measured (median of {runs})")
    for row in rows:
        print(f"{row.what:{width}}  {row.target:{targets}}  {row.measured}{'' if row.ok else '   MISSED'}")


def family(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for parent in found:
        try:
            threads = list(Path(f"/proc/{parent}/task").iterdir())
            found.extend(int(child) for task in threads for child in (task / "children").read_text().split())
        except OSError:
            continue
    return found


def pss(pids: Sequence[int]) -> float:
    """Memory of processes in MB (proportional set size): what they share is divided among them."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1])
    return total / 1024


def cpu_of(pids: Sequence[int]) -> float:
    """CPU seconds of these processes so far, of all their threads, in nanoseconds' resolution."""
    tasks = [task for pid in pids for task in Path(f"/proc/{pid}/task").iterdir()]
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def wake_ups(pid: int) -> int:
    """How often the threads of a process gave up the CPU by themselves so far."""
    return sum(
        int(line.split()[1])
        for task in Path(f"/proc/{pid}/task").iterdir()
        for line in (task / "status").read_text().splitlines()
        if line.startswith("voluntary_ctxt_switches")
    )


def title(pid: int) -> str:
    """How it calls itself; empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode().strip()
    except OSError:
        return ""
