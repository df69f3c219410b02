"""Computes what a file needs of the system, and a consumer of its limit: descriptors, and kernel tasks. Pure.

A kernel task is a process or one of its threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from squids.supervisor.settings import ProgramSettings

OWN_DESCRIPTORS = 40
"""Of the supervisor itself: log files, the control socket and its clients, fork servers."""

LEAST_IN_CONSUMER = 64
"""Descriptors with which any consumer works. One with a single worker cannot start with 12."""

OPENED_BY_CONSUMER = 28
"""By the consumer itself: 10 once it runs, and connections to SQS, imports, and a worker that is starting."""

OPENED_BY_CONSUMER_FOR_WORKER = 3
"""A socket, a pidfd, and the page that both map."""

TASKS_OF_A_CONSUMER = 4
"""Its process, and the threads that call SQS under low load."""

Limit = tuple[str, int | None]
"""The limit's name and value; None means unlimited."""


def descriptors_needed(programs: Iterable[ProgramSettings], cpus: int) -> int:
    """Return the descriptors that the supervisor needs. `cpus`: the default number of workers."""
    return OWN_DESCRIPTORS + sum(descriptors_of_consumer(_workers(program, cpus)) for program in programs)


def descriptors_of_consumer(workers: int) -> int:
    """Return the descriptors that the supervisor has for a consumer with this many workers.

    A socket and a pidfd of the consumer; a pipe and a socket for the output of each process.
    """
    return 2 + 2 * (1 + workers)


def descriptors_in_consumer(workers: int) -> int:
    """Return the descriptors that a consumer with this many workers needs itself."""
    return max(LEAST_IN_CONSUMER, OPENED_BY_CONSUMER + OPENED_BY_CONSUMER_FOR_WORKER * workers)


def tasks_needed(programs: Iterable[ProgramSettings], cpus: int) -> int:
    """Return the kernel tasks of all processes when all programs run."""
    return sum(TASKS_OF_A_CONSUMER + _workers(program, cpus) for program in programs)


def shortages(
    programs: Sequence[ProgramSettings],
    cpus: int,
    *,
    descriptors: Sequence[Limit],
    tasks: Sequence[Limit],
) -> list[str]:
    """Return a sentence for each limit that is too low for these programs."""
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
