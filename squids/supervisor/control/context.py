"""What verbs work on, and how they wait for programs."""

from __future__ import annotations

from dataclasses import dataclass, field

from squids.exit_codes import FAILED, NO_SUCH_NAME, OK, TIMED_OUT
from squids.supervisor.control import answers
from squids.supervisor.control.answers import Answers
from squids.supervisor.control.selection import Request, RequestRefused, selected
from squids.supervisor.file_reload import FileReload
from squids.supervisor.outcome import Decide, ProgramOutcome, timed_out, timed_out_after
from squids.supervisor.procfs import Meter
from squids.supervisor.rollout import Rollout
from squids.supervisor.supervisor import Supervisor


@dataclass(frozen=True, slots=True)
class Context:
    """A supervisor, its rollouts and its file. `meter` remembers the CPU times of the last `status`."""

    supervisor: Supervisor
    rollout: Rollout
    file_reload: FileReload
    meter: Meter = field(default_factory=Meter)

    def selected(self, request: Request) -> list[str]:
        """Return the programs that a request selects. Raises RequestRefused."""
        return selected(self.supervisor.programs, request.queues)

    def selected_to_run(self, request: Request) -> list[str]:
        """Return the selected programs that are still in the file. Raises RequestRefused."""
        return self.still_in_file(self.selected(request))

    def still_in_file(self, names: list[str]) -> list[str]:
        """Return those of the programs that no reload has removed. Raises RequestRefused if there is none."""
        kept = [name for name in names if name not in self.rollout.removals.names]
        if names and not kept:
            raise RequestRefused(f"no longer in the file: {', '.join(names)}", NO_SUCH_NAME)
        return kept

    def refuse_if_stopping(self) -> None:
        """Raise RequestRefused if the supervisor is shutting down."""
        if self.supervisor.stopping:
            raise RequestRefused("the supervisor is shutting down", FAILED)

    async def each(self, names: list[str], decide: Decide, request: Request) -> Answers:
        """Wait for each program's outcome and report it."""
        supervisor = self.supervisor
        seconds = request.timeout()

        def decide_by_name(name: str) -> ProgramOutcome | None:
            program = supervisor.programs.get(name)
            return ProgramOutcome(True, "removed") if program is None else decide(program)

        code, error = OK, None
        async for name, outcome in supervisor.waiters.each(names, decide_by_name, seconds):
            if outcome is None:
                outcome = timed_out(supervisor.programs[name])
                code, error = TIMED_OUT, timed_out_after(seconds)
            elif not outcome.ok:
                code = FAILED
            yield answers.result(name, outcome)
        yield answers.end(code, error)

    async def effect(self, names: list[str], decide: Decide, request: Request) -> Answers:
        """Wait and report likewise, unless the client does not wait."""
        if request.waits:
            async for answer in self.each(names, decide, request):
                yield answer
            return
        for name in names:
            yield answers.result(name, ProgramOutcome(True, "requested"))
        yield answers.end(OK)
