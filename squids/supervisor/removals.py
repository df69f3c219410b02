"""Programs that are no longer in the file: each drains, and is removed once it has no process."""

from __future__ import annotations

from squids.supervisor import events
from squids.supervisor.program import events as ev
from squids.supervisor.program.machine import Program
from squids.supervisor.supervisor import Supervisor

REMOVED = "stopped and removed"


class Removals:
    """Stops programs and removes them. It continues even if no one waits."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._unwatched: set[str] = set()
        self.names: set[str] = set()
        """Programs that are no longer in the file and still drain. Nothing starts them."""

    def begin(self, program: Program) -> None:
        """Stop a program and remove it once it has drained."""
        name = program.settings.name
        self._supervisor.feed(program, ev.StopProgram())
        if name not in self.names:
            self.names.add(name)
            self._supervisor.background.start(f"the removal of {name}", self._remove(program, name))

    def take_back(self, name: str) -> Program:
        """Return a program that is in the file again; it is not removed."""
        self.names.discard(name)
        self._unwatched.discard(name)
        return self._supervisor.programs[name]

    async def finished(self, program: Program, timeout: float | None) -> bool:
        """Wait for the removal; return False if it is not done within `timeout` seconds.

        A removal that no one waits for to the end is logged.
        """
        name = program.settings.name
        done = False
        try:
            done = await self._supervisor.waiters.until(lambda: not self._is_removing(program, name), timeout)
        finally:
            if not done:
                self._unwatched.add(name)
        return done

    def _is_removing(self, program: Program, name: str) -> bool:
        return name in self.names and self._supervisor.programs.get(name) is program

    async def _remove(self, program: Program, name: str) -> None:
        supervisor = self._supervisor
        await supervisor.waiters.until(lambda: program.gone or not self._is_removing(program, name))
        if not self._is_removing(program, name):
            return
        self.names.discard(name)
        supervisor.remove(name)
        if name in self._unwatched:
            self._unwatched.discard(name)
            supervisor.say(events.rolled_out(name, REMOVED, ok=True))
