"""What a file needs of the system: descriptors and tasks, in numbers that `check` can compare. Pure.

The supervisor and each fork server hold, for each consumer, its socket and what it prints, and for each of
its workers what that prints. A task, for the kernel, is a process or one of its threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from squids.supervisor.settings import ProgramSettings

OWN_DESCRIPTORS = 40
"""Of the supervisor itself: files of logs, the control socket and its clients, fork servers."""

TASKS_OF_A_CONSUMER = 4
"""Its process, and the threads that call SQS when little happens."""

Limit = tuple[str, int | None]
"""What it is called, and how many there may be; None: any number."""


def descriptors_needed(programs: Iterable[ProgramSettings], cpus: int) -> int:
    """At once, in the process that holds the most. `cpus`: workers where the file says nothing."""
    return OWN_DESCRIPTORS + sum(2 + _workers(program, cpus) for program in programs)


def tasks_needed(programs: Iterable[ProgramSettings], cpus: int) -> int:
    """Of all processes together, when all programs run."""
    return sum(TASKS_OF_A_CONSUMER + _workers(program, cpus) for program in programs)


def shortages(
    programs: Sequence[ProgramSettings],
    cpus: int,
    *,
    descriptors: Sequence[Limit],
    tasks: Sequence[Limit],
) -> list[str]:
    """A sentence for each limit that cannot hold these programs."""
    needs = (
        ("file descriptors", descriptors_needed(programs, cpus), descriptors),
        ("processes and threads", tasks_needed(programs, cpus), tasks),
    )
    return [
        f"{len(programs)} consumers need about {need} {what}, and {name} allows {most}: "
        "raise it, or the last of them cannot start"
        for what, need, limits in needs
        for name, most in limits
        if most is not None and need > most
    ]


def _workers(program: ProgramSettings, cpus: int) -> int:
    return int(program.option("workers") or cpus)
