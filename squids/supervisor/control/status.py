"""The output of `status`: programs as plain values with stable names. ISO times, durations in seconds."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from squids.process.figures import ConsumerFigures, RunningJob
from squids.process.log_lines import iso
from squids.supervisor.consumer_handle import ConsumerHandle
from squids.supervisor.generation import Generation
from squids.supervisor.history import Death
from squids.supervisor.outcome import is_as_wanted
from squids.supervisor.procfs import Usage
from squids.supervisor.program.events import ProgramState, Wanted
from squids.supervisor.program.machine import Program
from squids.supervisor.program.process import Step
from squids.supervisor.supervisor import Supervisor


def pids_of(supervisor: Supervisor, names: Iterable[str]) -> dict[str, list[int]]:
    """Return the processes of each program: consumers and workers."""
    found: dict[str, list[int]] = {name: [] for name in names}
    for consumer in supervisor.consumers.all.values():
        if consumer.program in found and consumer.pid is not None:
            found[consumer.program] += [consumer.pid, *consumer.worker_pids]
    return found


def status_of(
    supervisor: Supervisor,
    names: Iterable[str],
    usage: dict[str, Usage],
    stale: dict[int, list[str]],
    stale_alone: dict[int, list[str]],
) -> list[dict[str, Any]]:
    """Return one entry per program.

    `stale`: changed files by generation; `stale_alone`: by consumer, for those that imported the app
    themselves.
    """
    return [
        _status(supervisor, supervisor.programs[name], usage.get(name), stale, stale_alone)
        for name in names
        if name in supervisor.programs
    ]


def state_of(supervisor: Supervisor, program: Program) -> str:
    """Return the state as `status` shows it."""
    consumer = supervisor.consumers.of(program.current)
    return _state(program, consumer, consumer.figures if consumer is not None else None)


def _status(
    supervisor: Supervisor,
    program: Program,
    usage: Usage | None,
    stale: dict[int, list[str]],
    stale_alone: dict[int, list[str]],
) -> dict[str, Any]:
    """Return one program's entry: a table, with a row for each published key, in the published order."""
    now = time.monotonic()
    process = program.current
    consumer, degraded = supervisor.consumers.of(process), supervisor.degraded(program)
    generation = supervisor.fork_servers.generations.get(
        process.generation if process is not None else program.generation
    )
    figures = consumer.figures if consumer is not None else None
    running = figures.running if figures is not None else ()
    oldest = min(running, key=lambda job: job.started, default=None)
    settings = program.settings
    if program.gone:
        usage = None
    return {
        "name": settings.name,
        "queue": settings.queue,
        "app": settings.app_spec.app,
        "state": _state(program, consumer, figures),
        "wanted": program.wanted.value,
        "as_wanted": is_as_wanted(program, degraded),
        "reason": program.reason,
        "degraded": degraded,
        "warnings": list(figures.warnings) if figures is not None else [],
        "since": iso(time.time() - (now - program.state_since)),
        "seconds": round(now - program.state_since, 1),
        "retry_in": _rounded(program.retry_in(now)),
        "pid": process.pid if process is not None else None,
        "uptime": round(now - process.there_since, 1) if process and process.pid else None,
        "restarts": program.restarts,
        "workers": figures and figures.workers,
        "ready": figures and figures.ready,
        "busy": figures and figures.busy,
        "held": figures and figures.held,
        "done": figures and figures.done,
        "done_per_second": round(consumer.rate(), 2) if consumer is not None else None,
        "failed": figures and figures.failed,
        "p50": figures and figures.p50,
        "p95": figures and figures.p95,
        "oldest_task": _job(oldest, now) if oldest is not None else None,
        "running": [_job(job, now) for job in running],
        "cpu": usage.cpu if usage is not None else None,
        "memory": usage.memory if usage is not None else None,
        "last_exit": _last_exit(supervisor.history.last_unasked(settings.name)),
        "replacement": _replacement(program),
        "leaving": [process.pid for process in program.draining.values() if process.pid is not None],
        "stale": supervisor.stale.get(settings.app_spec),
        "code": _generation_of(consumer, generation, stale, stale_alone),
    }


def _state(program: Program, consumer: ConsumerHandle | None, figures: ConsumerFigures | None) -> str:
    if program.state is ProgramState.RUNNING and (
        program.wanted is Wanted.PAUSED or (figures is not None and figures.paused)
    ):
        return Wanted.PAUSED.value
    if consumer is not None and consumer.degraded and program.state is ProgramState.RUNNING:
        return "degraded"
    return program.state.value


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def _job(job: RunningJob, now: float) -> dict[str, Any]:
    return {
        "task": job.task,
        "message_id": job.message_id,
        "worker": job.worker,
        "pid": job.pid,
        "seconds": round(now - job.started, 1),
    }


def _last_exit(death: Death | None) -> dict[str, Any] | None:
    if death is None:
        return None
    return {"at": iso(death.at), "cause": death.cause, "status": death.status}


def _replacement(program: Program) -> dict[str, Any] | None:
    process = program.replacement
    if process is None:
        return None
    return {"pid": process.pid, "receives": process.step is Step.READY}


def _generation_of(
    consumer: ConsumerHandle | None,
    generation: Generation | None,
    stale: dict[int, list[str]],
    stale_alone: dict[int, list[str]],
) -> dict[str, Any] | None:
    """The code that its process runs; without a shared import, what the process imported itself."""
    entry = _code(generation, stale)
    if entry is None or generation is None or generation.shares or consumer is None:
        return entry
    files = stale_alone.get(consumer.child, [])
    imported_at = iso(consumer.facts.imported_at) if consumer.facts is not None else None
    return {**entry, "imported_at": imported_at, "stale": bool(files), "stale_files": files[:10]}


def _code(generation: Generation | None, stale: dict[int, list[str]]) -> dict[str, Any] | None:
    if generation is None:
        return None
    files = stale.get(generation.number, [])
    return {
        "app": generation.app_spec.app,
        "number": generation.number,
        "imported_at": iso(generation.facts.imported_at) if generation.facts is not None else None,
        "imports": generation.imports,
        "shared": generation.shares,
        "unforkable": generation.unforkable or None,
        "zygote": generation.handle.pid if generation.handle is not None else None,
        "stale": bool(files),
        "stale_files": files[:10],
        "failure": generation.failure.text if generation.failure is not None else None,
    }


def zygotes_of(supervisor: Supervisor, stale: dict[int, list[str]]) -> list[dict[str, Any]]:
    """Return one entry per generation."""
    entries = []
    for generation in supervisor.fork_servers.generations:
        entry = _code(generation, stale)
        assert entry is not None
        programs = [
            name for name, program in supervisor.programs.items() if program.generation == generation.number
        ]
        entries.append({**entry, "state": generation.state.value, "programs": programs})
    return entries
