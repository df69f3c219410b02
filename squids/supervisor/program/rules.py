"""The transition table of a program: what each event does in each state, or why nothing. Pure.

`RULES` cover commands and the current process. `machine` handles the replacement and draining processes, for
which the program's state does not matter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from squids.supervisor.program.events import (
    Action,
    CodeUnavailable,
    Command,
    Event,
    ForkServerLost,
    PauseProgram,
    ProcessBeat,
    ProcessBooted,
    ProcessCancelled,
    ProcessDraining,
    ProcessExited,
    ProcessReady,
    ProcessRefused,
    ProcessSpawned,
    ProgramState,
    ReplaceProgram,
    Report,
    ResetProgram,
    RestartProgram,
    ResumeProgram,
    StartProgram,
    StopProgram,
)
from squids.supervisor.program.machine import Program
from squids.supervisor.program.process import Process

C = TypeVar("C", bound=Command)
R = TypeVar("R", bound=Report)

ALL = tuple(ProgramState)
UP = (ProgramState.STARTING, ProgramState.RUNNING)
HAS_PROCESS = (*UP, ProgramState.STOPPING)
MAY_PAUSE = (*HAS_PROCESS, ProgramState.BACKOFF)


@dataclass(frozen=True, slots=True)
class OnCommand:
    """What a command does in these states. `text`: for the documentation. Made by `on_command`."""

    event: type[Any]
    states: tuple[ProgramState, ...]
    text: str
    act: Callable[[Program, Any, float], None]


@dataclass(frozen=True, slots=True)
class OnReport:
    """What a report about the current process does in these states. Made by `on_report`."""

    event: type[Any]
    states: tuple[ProgramState, ...]
    text: str
    act: Callable[[Program, Process, Any, float], None]


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event that does nothing in these states, and why."""

    event: type[Event]
    states: tuple[ProgramState, ...]
    why: str


# Generic rows would make this a table of Any, with no rule checked. So the rows are plain, and these two
# functions tie the event of a rule to its action.


def on_command(
    event: type[C], states: tuple[ProgramState, ...], text: str, act: Callable[[Program, C, float], None]
) -> OnCommand:
    return OnCommand(event, states, text, act)


def on_report(
    event: type[R],
    states: tuple[ProgramState, ...],
    text: str,
    act: Callable[[Program, Process, R, float], None],
) -> OnReport:
    return OnReport(event, states, text, act)


RULES: tuple[OnCommand | OnReport, ...] = (
    on_command(
        StartProgram,
        ALL,
        "It is wanted up. A process is requested unless there is one; after STOPPED, EXITED or FATAL the "
        "failures are forgotten.",
        lambda program, _, now: program.start(now),
    ),
    on_command(
        StopProgram,
        ALL,
        "It is wanted down. Its process is told to drain, and killed when its time is up; one that is not "
        "there yet is cancelled.",
        lambda program, _, now: program.stop(now),
    ),
    on_command(
        RestartProgram,
        ALL,
        "Its process is told to drain; then one of the new code is started.",
        lambda program, event, now: program.restart(event.generation, event.settings, now),
    ),
    on_command(
        ResetProgram,
        ALL,
        "Its failures are forgotten, and it is started now.",
        lambda program, _, now: program.reset(now),
    ),
    on_command(
        ReplaceProgram,
        (ProgramState.RUNNING,),
        "A process of the new code is requested. The old one drains once that receives, and stays if it "
        "fails.",
        lambda program, event, now: program.replace(event, now),
    ),
    on_command(
        ReplaceProgram,
        (ProgramState.STOPPED, ProgramState.EXITED),
        "The next start takes the new code and settings.",
        lambda program, event, _: program.adopt(event),
    ),
    on_command(
        ReplaceProgram,
        (ProgramState.STARTING, ProgramState.BACKOFF, ProgramState.FATAL),
        "As a restart: there is nothing that receives.",
        lambda program, event, now: program.restart(event.generation, event.settings, now),
    ),
    on_command(
        ReplaceProgram,
        (ProgramState.STOPPING,),
        "If it is wanted down, the next start takes the new code and settings; else a process with them "
        "follows.",
        lambda program, event, now: program.replace_while_stopping(event, now),
    ),
    on_command(
        PauseProgram,
        MAY_PAUSE,
        "Its consumer is told to receive nothing, now or once it receives.",
        lambda program, *_: program.set_paused(True),
    ),
    on_command(
        ResumeProgram,
        MAY_PAUSE,
        "Its consumer is told to receive again.",
        lambda program, *_: program.set_paused(False),
    ),
    on_report(
        ProcessSpawned,
        (ProgramState.STARTING,),
        "It has `start_timeout` to boot.",
        lambda _, process, event, now: process.spawned(event.pid, now),
    ),
    on_report(
        ProcessSpawned,
        (ProgramState.STOPPING,),
        "It is no longer wanted: it is told to drain.",
        lambda program, process, event, now: program.came_too_late(process, event.pid, now),
    ),
    on_report(
        ProcessRefused,
        (ProgramState.STARTING,),
        "BACKOFF; it does not count as a failure.",
        lambda program, _, event, now: program.rest(program.failures.refused(event.reason, now)),
    ),
    on_report(
        CodeUnavailable,
        (ProgramState.STARTING,),
        "BACKOFF until the import is tried again; FATAL if that cannot help, or as `max_restarts` says.",
        lambda program, _, event, now: program.rest(
            program.failures.unavailable(event, program.settings, now)
        ),
    ),
    on_report(
        ProcessRefused,
        (ProgramState.STOPPING,),
        "STOPPED, or requested again, as it is wanted.",
        lambda program, _, __, now: program.never_came(now),
    ),
    on_report(
        CodeUnavailable,
        (ProgramState.STOPPING,),
        "STOPPED, or requested again, as it is wanted.",
        lambda program, _, __, now: program.never_came(now),
    ),
    on_report(
        ProcessCancelled,
        (ProgramState.STARTING, ProgramState.STOPPING),
        "STOPPED, or requested again, as it is wanted.",
        lambda program, _, __, now: program.never_came(now),
    ),
    on_report(
        ProcessBooted,
        (ProgramState.STARTING,),
        "From now on it must give a sign of life each `heartbeat_timeout`.",
        lambda _, process, __, now: process.booted(now),
    ),
    on_report(
        ProcessReady,
        (ProgramState.STARTING,),
        "RUNNING. If the program is paused, it is told so.",
        lambda program, process, _, now: program.receives(process, now),
    ),
    on_report(
        ProcessBeat,
        UP,
        "The next sign of life is due in `heartbeat_timeout`.",
        lambda _, process, __, now: process.beat(now),
    ),
    on_report(
        ProcessDraining,
        UP,
        "It exits by itself (a signal, workers that keep dying): STOPPING, then as after a death.",
        lambda program, process, event, now: program.drains_by_itself(process, event.reason, now),
    ),
    on_report(
        ProcessDraining,
        (ProgramState.STOPPING,),
        "It has its drain limit to exit.",
        lambda _, process, __, now: process.answered_drain(now),
    ),
    on_report(
        ForkServerLost,
        HAS_PROCESS,
        "It drains by itself. Another is requested at once, from a new fork server, unless it was stopping "
        "anyway.",
        lambda program, process, _, now: program.fork_server_lost(process, now),
    ),
    on_report(
        ProcessExited,
        UP,
        "BACKOFF; or FATAL (exit 78, `max_restarts`); or EXITED, as `restart` says.",
        lambda program, process, event, now: program.exited(process, event, now),
    ),
    on_report(
        ProcessExited,
        (ProgramState.STOPPING,),
        "STOPPED, or started again, as it is wanted; BACKOFF if it was killed for a fault.",
        lambda program, process, event, now: program.exited_while_stopping(process, event, now),
    ),
)


def _but(*states: ProgramState) -> tuple[ProgramState, ...]:
    return tuple(state for state in ProgramState if state not in states)


IGNORED: tuple[Ignored, ...] = (
    Ignored(PauseProgram, _but(*MAY_PAUSE), "no process receives, and none will by itself"),
    Ignored(ResumeProgram, _but(*MAY_PAUSE), "no process receives, and none will by itself"),
    Ignored(
        ProcessSpawned,
        _but(ProgramState.STARTING, ProgramState.STOPPING),
        "it was spawned before, or is gone",
    ),
    Ignored(
        ProcessRefused,
        _but(ProgramState.STARTING, ProgramState.STOPPING),
        "it was spawned before, or is gone",
    ),
    Ignored(
        CodeUnavailable,
        _but(ProgramState.STARTING, ProgramState.STOPPING),
        "it was spawned before, or is gone",
    ),
    Ignored(
        ProcessCancelled,
        _but(ProgramState.STARTING, ProgramState.STOPPING),
        "it was spawned before, or is gone",
    ),
    Ignored(ProcessBooted, _but(ProgramState.STARTING), "it has booted before, or is draining or gone"),
    Ignored(ProcessReady, _but(ProgramState.STARTING), "it receives already, or is draining or gone"),
    Ignored(ProcessBeat, _but(*UP), "it is draining or gone"),
    Ignored(ProcessDraining, _but(*HAS_PROCESS), "it is gone"),
    Ignored(ForkServerLost, _but(*HAS_PROCESS), "it is gone"),
    Ignored(ProcessExited, _but(*HAS_PROCESS), "it is gone"),
)
"""Together with `RULES`, this covers each event in each state."""

_ON_COMMAND = {
    (state, rule.event): rule for rule in RULES if isinstance(rule, OnCommand) for state in rule.states
}
_ON_REPORT = {
    (state, rule.event): rule for rule in RULES if isinstance(rule, OnReport) for state in rule.states
}


def handle(program: Program, event: Event, now: float) -> list[Action]:
    """Handle an event; return the actions in order. `now`: monotonic seconds."""
    before = program.state
    current = program.current
    if isinstance(event, Command):
        if (command := _ON_COMMAND.get((before, type(event)))) is not None:
            command.act(program, event, now)
    elif current is not None and getattr(event, "child", None) == current.child:
        if (report := _ON_REPORT.get((before, type(event)))) is not None:
            report.act(program, current, event, now)
    else:
        program.on_other_event(event, now)
    if program.state is not before:
        program.state_since = now
    return program.taken()
