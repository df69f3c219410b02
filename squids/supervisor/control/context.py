"""What verbs work on, and how they wait for its programs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from squids.exit_codes import FAILED, NO_SUCH_NAME, OK, TIMED_OUT
from squids.supervisor.control import answers
from squids.supervisor.control.answers import Answers
from squids.supervisor.control.selection import Request, RequestRefused, selected
from squids.supervisor.outcome import Decide, ProgramOutcome
from squids.supervisor.procfs import Meter
from squids.supervisor.program.machine import Program
from squids.supervisor.rollout import Rollout
from squids.supervisor.supervisor import Supervisor


@dataclass(frozen=True, slots=True)
class Context:
    """A supervisor and its rollouts. `meter` remembers the CPU times that `status` saw last."""

    supervisor: Supervisor
    rollout: Rollout
    meter: Meter = field(default_factory=Meter)

    def selected(self, request: Request) -> list[str]:
        """The programs that a request means. Refused."""
        return selected(self.supervisor.programs, request.queues)

    def selected_to_run(self, request: Request) -> list[str]:
        """The same, less those that are no longer in the file, and drain. Refused."""
        names = self.selected(request)
        kept = [name for name in names if name not in self.rollout.removing]
        if names and not kept:
            raise RequestRefused(f"no longer in the file: {', '.join(names)}", NO_SUCH_NAME)
        return kept

    def refuse_if_stopping(self) -> None:
        """Refused, once the supervisor stops."""
        if self.supervisor.stopping:
            raise RequestRefused("the supervisor is shutting down", FAILED)

    async def each(self, names: list[str], decide: Decide, request: Request) -> Answers:
        """Wait for each program's outcome, and report it."""
        supervisor = self.supervisor
        seconds = request.timeout()
        deadline = None if seconds is None else time.monotonic() + seconds
        left, code = list(names), OK
        while left:

            def decided() -> list[tuple[str, ProgramOutcome]]:
                found = []
                for name in left:
                    program = supervisor.programs.get(name)
                    outcome = ProgramOutcome(True, "removed") if program is None else decide(program)
                    if outcome is not None:
                        found.append((name, outcome))
                return found

            timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not await supervisor.until(lambda: bool(decided()), timeout):
                for name in left:
                    program = supervisor.programs[name]
                    text = f"timed out; {program.state.value}: {program.reason}"
                    yield answers.result(name, ProgramOutcome(False, text))
                yield answers.end(TIMED_OUT, f"not within {seconds:g} s")
                return
            for name, outcome in decided():
                left.remove(name)
                code = code if outcome.ok else FAILED
                yield answers.result(name, outcome)
        yield answers.end(code)

    async def effect(self, names: list[str], decide: Decide, request: Request) -> Answers:
        """The same, unless the client does not wait for it."""
        if request.waits:
            async for answer in self.each(names, decide, request):
                yield answer
            return
        for name in names:
            yield answers.result(name, ProgramOutcome(True, "requested"))
        yield answers.end(OK)

    def degraded(self, program: Program) -> str | None:
        """Why its consumer cannot work, if it cannot."""
        consumer = self.supervisor.consumers.of(program.current)
        return consumer.degraded if consumer is not None else None
