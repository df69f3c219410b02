"""The vocabulary of a program: its states, its events, and the actions that it requests. Pure.

Values only. `rules` maps events to actions.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from squids.supervisor.settings import ProgramSettings


class ProgramState(Enum):
    """What a program is doing."""

    STOPPED = "stopped"
    """No process runs, and none is wanted."""
    STARTING = "starting"
    """A process was requested or has been spawned, and its first receive was not answered yet."""
    RUNNING = "running"
    """Its consumer receives: it reported that its first receive was answered."""
    BACKOFF = "backoff"
    """Its process failed or was not available. The next one starts at `retry_at`."""
    STOPPING = "stopping"
    """Its process was told to exit or is being killed, and has not exited yet."""
    EXITED = "exited"
    """Its process exited by itself, and the file says that it may stay down."""
    FATAL = "fatal"
    """A restart does not help; only an operator can."""


class Wanted(Enum):
    """The desired state of a program, from an operator or the file."""

    UP = "up"
    DOWN = "down"
    PAUSED = "paused"


# Events. `child` is the number of a process, unique across all programs.


@dataclass(frozen=True, slots=True)
class StartProgram:
    """Start the program, unless it has a process."""


@dataclass(frozen=True, slots=True)
class StopProgram:
    """Stop the program, and keep it down."""


@dataclass(frozen=True, slots=True)
class RestartProgram:
    """Run this code with these settings. The old process exits before the new one starts."""

    generation: int
    settings: ProgramSettings


@dataclass(frozen=True, slots=True)
class ReplaceProgram:
    """Run this code with these settings. The old process drains once the new one receives.

    `kill_after`: seconds that the old process may drain; older ones that drain already are forced then. None:
    each has its shutdown timeout.
    """

    generation: int
    settings: ProgramSettings
    kill_after: float | None = None


@dataclass(frozen=True, slots=True)
class ResetProgram:
    """Forget the program's failures, and start it now."""


@dataclass(frozen=True, slots=True)
class PauseProgram:
    """Stop receiving, and keep the process."""


@dataclass(frozen=True, slots=True)
class ResumeProgram:
    """Receive again after a pause."""


@dataclass(frozen=True, slots=True)
class ProcessSpawned:
    """The process was spawned. It is the first report of a process."""

    child: int
    pid: int


@dataclass(frozen=True, slots=True)
class ProcessRefused:
    """The system refused to create the process. That is not a failure of the program."""

    child: int
    reason: str


@dataclass(frozen=True, slots=True)
class CodeUnavailable:
    """There is no code to run, because the app's import failed.

    `retry_at`: monotonic time of the next import; None if there is none. `refused`: the system refused the
    fork server, which does not count as a failure.
    """

    child: int
    reason: str
    retry_at: float | None
    refused: bool = False


@dataclass(frozen=True, slots=True)
class ProcessCancelled:
    """The process that was requested will not be spawned."""

    child: int


@dataclass(frozen=True, slots=True)
class ProcessBooted:
    """The consumer's event loop runs."""

    child: int


@dataclass(frozen=True, slots=True)
class ProcessReady:
    """The consumer receives."""

    child: int


@dataclass(frozen=True, slots=True)
class ProcessBeat:
    """The consumer is alive: it sent a frame."""

    child: int


@dataclass(frozen=True, slots=True)
class ProcessDraining:
    """The consumer reported that it drains, and why."""

    child: int
    reason: str


@dataclass(frozen=True, slots=True)
class ForkServerLost:
    """The fork server of this process died. The process drains, as it can no longer replace a worker."""

    child: int


@dataclass(frozen=True, slots=True)
class ProcessExited:
    """The process exited.

    `status`: its exit code, or minus the signal; None: unknown. `jitter`: a random number from 0 to 1, for
    the delay of the next start.
    """

    child: int
    status: int | None
    jitter: float = 0.5
    out_of_memory: bool = False
    failure: str = ""
    """Why it could not start, if it said so."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A deadline of the program may have passed."""


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


# Actions, for the supervisor to carry out.


@dataclass(frozen=True, slots=True)
class SpawnProcess:
    """Start a process from this code.

    Answered by ProcessSpawned, ProcessRefused, CodeUnavailable or ProcessCancelled.
    """

    child: int
    generation: int
    settings: ProgramSettings


@dataclass(frozen=True, slots=True)
class CancelProcess:
    """Do not start the process, unless its fork server was asked for it already."""

    child: int


@dataclass(frozen=True, slots=True)
class SendDrain:
    """Tell the process over its socket to drain. `within`: seconds; None: its shutdown timeout."""

    child: int
    within: float | None = None


@dataclass(frozen=True, slots=True)
class SendPause:
    """Tell the process over its socket to pause, or to receive again."""

    child: int
    on: bool


@dataclass(frozen=True, slots=True)
class TerminateProcess:
    """Send SIGTERM to the process, which did not answer on its socket."""

    child: int


@dataclass(frozen=True, slots=True)
class AbortProcess:
    """Send SIGCONT and SIGABRT to the process, which hangs, so that it writes its stacks."""

    child: int


@dataclass(frozen=True, slots=True)
class KillProcess:
    """Send SIGKILL to the process, its workers and what they started."""

    child: int


@dataclass(frozen=True, slots=True)
class StateChanged:
    """Log that the state changed, and why."""

    old: ProgramState
    new: ProgramState
    reason: str


@dataclass(frozen=True, slots=True)
class ProcessDied:
    """Record that a process died.

    `asked`: whether it was told to exit. `uptime`: seconds since it was spawned.
    """

    child: int
    pid: int | None
    status: int | None
    cause: str
    asked: bool
    uptime: float


@dataclass(frozen=True, slots=True)
class HandOver:
    """Log how a rolling replacement ended.

    `failure` None: the new process took over. Else the old one keeps running, for this reason.
    """

    failure: str | None


Action = (
    SpawnProcess
    | CancelProcess
    | SendDrain
    | SendPause
    | TerminateProcess
    | AbortProcess
    | KillProcess
    | StateChanged
    | ProcessDied
    | HandOver
)
