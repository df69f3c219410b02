"""Decides the outcome of a start, restart, stop or wait, the same for every caller. Pure.

Each function returns None until the outcome is known.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from squids.supervisor.program.events import ProgramState, Wanted
from squids.supervisor.program.machine import Program


class ProgramOutcome(NamedTuple):
    """Whether a request succeeded for a program, and a text for people."""

    ok: bool
    text: str


Decide = Callable[[Program], ProgramOutcome | None]

SUPERVISOR_STOPS = ProgramOutcome(False, "the supervisor is stopping")
"""For whatever was to run after a shutdown."""


def is_as_wanted(program: Program, degraded: str | None) -> bool:
    """Whether the program is in its desired state. A degraded one is not.

    `degraded`: why its consumer cannot work, if it cannot.
    """
    if program.wanted is Wanted.DOWN:
        return program.state in (ProgramState.STOPPED, ProgramState.EXITED)
    if program.state is ProgramState.EXITED:
        return True
    return program.state is ProgramState.RUNNING and not degraded


def of_start(program: Program, degraded: str | None) -> ProgramOutcome | None:
    """For a program that was told to start: it runs once its consumer receives."""
    process = program.current
    pid = f", pid {process.pid}" if process is not None and process.pid else ""
    match program.state:
        case ProgramState.RUNNING:
            return ProgramOutcome(True, f"running{pid}")
        case ProgramState.STARTING if degraded:
            return ProgramOutcome(False, f"started{pid}, but degraded: {degraded}")
        case ProgramState.STARTING:
            return None
        case ProgramState.STOPPING if program.wanted is not Wanted.DOWN:
            return None
        case _:
            return ProgramOutcome(False, f"{program.state.value}: {program.reason}")


def of_generation(
    program: Program, generation: int, degraded: str | None, *, stopping: bool = False
) -> ProgramOutcome | None:
    """For a program that was told to run this generation, or a newer one that superseded it.

    `stopping`: the supervisor is shutting down, so that nothing starts any more.
    """
    if stopping:
        return SUPERVISOR_STOPS
    generation = max(generation, program.generation)
    if program.replacement is not None and program.replacement.generation >= generation:
        return None
    if program.generation != generation:
        return _not_handed_over(program, program.hand_over_failure or "another request overtook it")
    if program.hand_over_failure is not None and (
        program.state is ProgramState.RUNNING or program.wanted is Wanted.DOWN
    ):
        return _not_handed_over(program, program.hand_over_failure)
    if program.wanted is Wanted.DOWN and program.state in (
        ProgramState.STOPPED,
        ProgramState.STOPPING,
        ProgramState.EXITED,
    ):
        return ProgramOutcome(True, f"is {program.state.value}; the change takes effect when it starts")
    process = program.current
    if program.state is ProgramState.RUNNING and (process is None or process.generation != generation):
        return None
    return of_start(program, degraded)


def _not_handed_over(program: Program, why: str) -> ProgramOutcome:
    stays = program.wanted is not Wanted.DOWN
    return ProgramOutcome(False, f"{why}; the old process keeps running" if stays else why)


def of_stop(program: Program) -> ProgramOutcome | None:
    """For a program that was told to stop."""
    if program.wanted is not Wanted.DOWN:
        return ProgramOutcome(False, "another request wants it up again")
    return ProgramOutcome(True, "stopped") if program.gone else None


def of_wait_for_running(program: Program) -> ProgramOutcome | None:
    """FATAL ends the wait: it needs an operator."""
    if program.state is ProgramState.FATAL:
        return ProgramOutcome(False, f"fatal: {program.reason}")
    return ProgramOutcome(True, "running") if program.state is ProgramState.RUNNING else None


def of_wait_for_stopped(program: Program) -> ProgramOutcome | None:
    """It counts whatever stopped the program."""
    down = program.gone and program.state in (ProgramState.STOPPED, ProgramState.EXITED, ProgramState.FATAL)
    return ProgramOutcome(True, program.state.value) if down else None


def of_pause(program: Program, on: bool, paused: bool | None) -> ProgramOutcome | None:
    """For a program that was told to pause or resume. `paused`: as its consumer reports, if it has one."""
    if program.wanted is Wanted.DOWN or program.state in (ProgramState.EXITED, ProgramState.FATAL):
        return ProgramOutcome(False, f"is {program.state.value}")
    if program.wanted is not (Wanted.PAUSED if on else Wanted.UP):
        return ProgramOutcome(False, "another request wants something else")
    if program.state is not ProgramState.RUNNING or paused is None:
        return ProgramOutcome(
            True, f"is {program.state.value}, and will be {'paused' if on else 'receiving'}"
        )
    return ProgramOutcome(True, "paused" if on else "receiving") if paused is on else None


def timed_out(program: Program) -> ProgramOutcome:
    """For a program without an outcome in time."""
    process = program.current
    if program.state is ProgramState.STOPPING and process is not None and process.fault is None:
        if program.wanted is Wanted.DOWN:
            return ProgramOutcome(False, "timed out; its process is still draining")
        return ProgramOutcome(False, "timed out; its old process is still draining; it will start after that")
    reason = program.reason.splitlines()[-1] if program.reason else ""  # The log has the traceback.
    return ProgramOutcome(False, f"timed out; {program.state.value}: {reason}")


def timed_out_after(seconds: float | None) -> str:
    """Return the error of a request whose time is up. `seconds`: its own, if it has any."""
    return "timed out" if seconds is None else f"timed out after {seconds:g} s"
