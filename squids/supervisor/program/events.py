"""The words of a program's life: its states, what happens to it, and what it asks for.

Values only. What follows from what is in `program`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from squids.supervisor.settings import ProgramSettings


class ProgramState(Enum):
    """What a program is doing."""

    STOPPED = "stopped"
    """Nothing runs, and nobody wants it to."""
    STARTING = "starting"
    """A process was asked for, or is there, and has not received yet."""
    RUNNING = "running"
    """Its consumer said so: its first receive was answered."""
    BACKOFF = "backoff"
    """It died, and is started again at a time that is known."""
    STOPPING = "stopping"
    """It was told to leave, or is killed, and is not gone yet."""
    EXITED = "exited"
    """It left by itself, and the file says that this is fine."""
    FATAL = "fatal"
    """A restart does not help: somebody has to look."""


class Wanted(Enum):
    """What an operator, or the file, wants it to be."""

    UP = "up"
    DOWN = "down"
    PAUSED = "paused"


# What happens. `child` numbers one process, of all programs.


@dataclass(frozen=True, slots=True)
class StartProgram:
    """It shall run."""


@dataclass(frozen=True, slots=True)
class StopProgram:
    """It shall not run."""


@dataclass(frozen=True, slots=True)
class RestartProgram:
    """It shall run this code, with these settings; the old process leaves before the new one starts."""

    generation: int
    settings: ProgramSettings


@dataclass(frozen=True, slots=True)
class ReplaceProgram:
    """It shall run this code, with these settings; the old process leaves once the new one receives.

    `kill_after`: seconds that the old process may drain then, and those before it no longer. None: each as
    long as its shutdown timeout.
    """

    generation: int
    settings: ProgramSettings
    kill_after: float | None = None


@dataclass(frozen=True, slots=True)
class ResetProgram:
    """Its failures are forgotten; it shall run, now."""


@dataclass(frozen=True, slots=True)
class PauseProgram:
    """It shall receive nothing."""


@dataclass(frozen=True, slots=True)
class ResumeProgram:
    """It shall receive again."""


@dataclass(frozen=True, slots=True)
class ProcessSpawned:
    """The process is there."""

    child: int
    pid: int


@dataclass(frozen=True, slots=True)
class ProcessRefused:
    """The system gave no process, which is not the program's fault."""

    child: int
    reason: str


@dataclass(frozen=True, slots=True)
class CodeUnavailable:
    """There is no code to run: the app's import failed. It is tried again at `retry_at`; None: never.

    `refused`: by the system, which is nobody's fault.
    """

    child: int
    reason: str
    retry_at: float | None
    refused: bool = False


@dataclass(frozen=True, slots=True)
class ProcessCancelled:
    """The process that was asked for will not come."""

    child: int


@dataclass(frozen=True, slots=True)
class ProcessBooted:
    """The consumer's loop runs."""

    child: int


@dataclass(frozen=True, slots=True)
class ProcessReady:
    """The consumer receives."""

    child: int


@dataclass(frozen=True, slots=True)
class ProcessBeat:
    """The consumer lives: any word of it."""

    child: int


@dataclass(frozen=True, slots=True)
class ProcessDraining:
    """The consumer says that it leaves."""

    child: int
    reason: str


@dataclass(frozen=True, slots=True)
class ForkServerLost:
    """The fork server of this process died: it drains, and can replace no worker."""

    child: int


@dataclass(frozen=True, slots=True)
class ProcessExited:
    """The process is dead. `status`: exit code, or minus the signal; None: unknown. `jitter`: from 0 to 1."""

    child: int
    status: int | None
    jitter: float = 0.5
    out_of_memory: bool = False


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


Command = (
    StartProgram | StopProgram | RestartProgram | ReplaceProgram | ResetProgram | PauseProgram | ResumeProgram
)
Report = (
    ProcessSpawned
    | ProcessRefused
    | CodeUnavailable
    | ProcessCancelled
    | ProcessBooted
    | ProcessReady
    | ProcessBeat
    | ProcessDraining
    | ForkServerLost
    | ProcessExited
)
Event = Command | Report | Tick


# What it asks for.


@dataclass(frozen=True, slots=True)
class SpawnProcess:
    """Start a process from this code. The answer is Spawned, Refused, Unavailable or Cancelled."""

    child: int
    generation: int
    settings: ProgramSettings


@dataclass(frozen=True, slots=True)
class CancelProcess:
    """Do not start it, if it has not been."""

    child: int


@dataclass(frozen=True, slots=True)
class TellDrain:
    """Say over its socket that it is to leave, and within how many seconds; None: its shutdown timeout."""

    child: int
    within: float | None = None


@dataclass(frozen=True, slots=True)
class TellPause:
    """Say over its socket whether it is to receive."""

    child: int
    on: bool


@dataclass(frozen=True, slots=True)
class TerminateProcess:
    """SIGTERM to the process: it did not answer on its socket."""

    child: int


@dataclass(frozen=True, slots=True)
class AbortProcess:
    """SIGCONT and SIGABRT to the process: it hangs, and is to write its stacks."""

    child: int


@dataclass(frozen=True, slots=True)
class KillProcess:
    """SIGKILL to the process and all that belongs to it."""

    child: int


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The state changed, for this reason."""

    old: ProgramState
    new: ProgramState
    reason: str


@dataclass(frozen=True, slots=True)
class ProcessDied:
    """A process is gone. `asked`: it was told to leave. `uptime`: seconds since it was there."""

    child: int
    pid: int | None
    status: int | None
    cause: str
    asked: bool
    uptime: float


@dataclass(frozen=True, slots=True)
class HandOver:
    """A rolling replacement is over: done (None), or failed for this reason, and the old process goes on."""

    failure: str | None


Action = (
    SpawnProcess
    | CancelProcess
    | TellDrain
    | TellPause
    | TerminateProcess
    | AbortProcess
    | KillProcess
    | StateChanged
    | ProcessDied
    | HandOver
)
