"""Decides what follows a failed or refused process: whether and when the next one starts. Pure."""

from __future__ import annotations

from typing import NamedTuple

from squids.exit_codes import ExitCode
from squids.process.restarts import GiveUp, RestartPolicy, Restarts
from squids.supervisor.program.events import CodeUnavailable, ProcessExited, ProgramState
from squids.supervisor.program.process import Process
from squids.supervisor.settings import ProgramSettings, RestartWhen

REFUSED = RestartPolicy(immediate=0, first=0.5, maximum=10.0, spread=0.0)
"""The delays after the system refused a process."""


class Verdict(NamedTuple):
    """The program's next state, the reason, and when it starts again, if it does."""

    state: ProgramState
    reason: str
    retry_at: float | None = None


class Failures:
    """The failures of one program: consecutive ones, and those within the window of `max_restarts`."""

    def __init__(self) -> None:
        self._restarts = Restarts(RestartPolicy())
        self._refusals = Restarts(REFUSED)

    @property
    def in_a_row(self) -> int:
        return self._restarts.deaths

    def forget(self) -> None:
        """Forget the failures: an operator started or reset the program."""
        self._restarts.forget()

    def progress(self) -> None:
        """Other code or settings run than those that failed."""
        self._restarts.progress()

    def process_came(self) -> None:
        """The system grants processes again."""
        self._refusals.progress()

    def refused(self, reason: str, now: float) -> Verdict:
        """The system refused a process, which is not a failure of the program."""
        answer = self._refusals.died(now, jitter=1.0, healthy=False)
        at = None if isinstance(answer, GiveUp) else answer.at
        return Verdict(ProgramState.BACKOFF, f"the system refused a process: {reason}", at)

    def unavailable(self, event: CodeUnavailable, settings: ProgramSettings, now: float) -> Verdict:
        """The import failed: the fork server decides when to retry, `max_restarts` how often."""
        if event.retry_at is None:
            return Verdict(ProgramState.FATAL, event.reason)
        self._restarts.policy = policy_of(settings)
        too_many = None if event.refused else self._restarts.starts_again(now)
        if too_many is not None:
            return self._give_up(event.reason, too_many)
        return Verdict(ProgramState.BACKOFF, event.reason, event.retry_at)

    def died(
        self, process: Process, event: ProcessExited, cause: str, settings: ProgramSettings, now: float
    ) -> Verdict:
        """Its process exited without being told to."""
        if event.status == ExitCode.CONFIG:
            return Verdict(ProgramState.FATAL, f"{cause}: {process.said or 'a restart cannot fix it'}")
        if _may_stay_down(event, settings):
            return Verdict(ProgramState.EXITED, cause)
        self._restarts.policy = policy_of(settings)
        answer = self._restarts.died(now, event.jitter, healthy=process.was_healthy(now))
        if isinstance(answer, GiveUp):
            return self._give_up(cause, answer)
        return Verdict(ProgramState.BACKOFF, cause, answer.at)

    def _give_up(self, cause: str, answer: GiveUp) -> Verdict:
        text = f"{cause}; restarted {answer.deaths} times within {self._restarts.policy.window:g} s"
        return Verdict(ProgramState.FATAL, text)


def policy_of(settings: ProgramSettings) -> RestartPolicy:
    """Return the policy of the settings, which may have changed since the last failure."""
    backoff, limit = settings.backoff, settings.max_restarts
    return RestartPolicy(
        immediate=0,
        first=backoff.first,
        maximum=backoff.maximum,
        spread=backoff.jitter,
        most=limit.count if limit is not None else None,
        window=limit.window if limit is not None else 0.0,
    )


def _may_stay_down(event: ProcessExited, settings: ProgramSettings) -> bool:
    """Whether the file accepts this exit."""
    if settings.restart is RestartWhen.NEVER:
        return True
    expected = settings.restart is RestartWhen.ON_FAILURE or bool(settings.option("exit_when_empty"))
    return event.status == 0 and expected
