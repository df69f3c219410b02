"""Reloads the configuration file: reads it, compares it with what runs, and changes only what differs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace

from squids.supervisor import events
from squids.supervisor.config.difference import Difference, difference
from squids.supervisor.program import events as ev
from squids.supervisor.program.machine import Program
from squids.supervisor.removals import REMOVED
from squids.supervisor.rollout import Rollout, RolloutOutcome, Told
from squids.supervisor.settings import ProgramSettings, Settings
from squids.supervisor.supervisor import Supervisor
from squids.supervisor.threads import NoThread, in_thread

READ_SECONDS = 30.0
"""How long reading the file may take."""

RELOAD = "the reload of the configuration"
"""The log's name for a reload that no verb asked for."""

Read = Callable[[], "Settings | list[str]"]
Prepare = Callable[[Settings], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Plan:
    """A file that was read, and what it changes."""

    settings: Settings
    changes: Difference

    def lines(self) -> list[str]:
        return [*self.settings.warnings, *self.changes.lines()]


class FileReload:
    """Reloads the file, one reload at a time.

    `read` reads the file: it returns the settings, or all problems. `prepare` is awaited before new settings
    are applied.
    """

    def __init__(
        self, supervisor: Supervisor, rollout: Rollout, read: Read, prepare: Prepare | None = None
    ) -> None:
        self._supervisor = supervisor
        self._rollout = rollout
        self._removals = rollout.removals
        self._read = read
        self._prepare = prepare
        self._lock = asyncio.Lock()
        self._hung_read: asyncio.Task[Settings | list[str]] | None = None
        """A read of the file that did not return in time."""
        self.last_error: str | None = None
        self.on_reload: Callable[[bool], None] | None = None
        """Called with True when a reload of the file begins, and with False when it ends."""

    @property
    def in_progress(self) -> bool:
        """Whether a reload is being applied. What runs may then differ from what it is about to become."""
        return self._lock.locked()

    async def run(self) -> None:
        """Read the file and apply it. The log has the outcome."""
        plan = await self.plan()
        if isinstance(plan, Plan) and not self._supervisor.stopping:
            self.begin(plan, timeout=None)

    def begin(self, plan: Plan, *, timeout: float | None) -> asyncio.Queue[Told | None]:
        """Apply a plan in the background; return its lines and its outcomes, followed by None."""
        return self._rollout.begin(self.apply(plan, timeout))

    async def plan(self) -> Plan | list[str]:
        """Read the file. Problems are also logged."""
        settings = await self._read_in_time()
        if isinstance(settings, list):
            self.last_error = settings[0] if settings else "invalid"
            for text in settings:
                self._supervisor.say(events.reload_failed(text))
            return settings
        if self.last_error is not None:
            self.last_error = None
            self._supervisor.say(events.reload("the configuration is valid again"))
        return Plan(settings, self._difference(settings))

    async def _read_in_time(self) -> Settings | list[str]:
        """Read the file, for at most READ_SECONDS. A hung file system blocks only one thread."""
        if self._hung_read is not None and not self._hung_read.done():
            return ["an earlier read of the file has not returned yet: is its file system available?"]
        reading = asyncio.ensure_future(in_thread(self._read))
        try:
            done, _ = await asyncio.wait([reading], timeout=READ_SECONDS)
            if not done:
                self._hung_read = reading
                reading.add_done_callback(lambda late: late.cancelled() or late.exception())
                return [f"the file was not read within {READ_SECONDS:g} s: is its file system available?"]
            return reading.result()
        except NoThread as error:
            return [f"the file cannot be read: {error}"]
        except asyncio.CancelledError:
            reading.cancel()
            raise

    def _difference(self, settings: Settings) -> Difference:
        """Compare with what runs, which a failed reload or `scale` may have made differ from the file."""
        # A removed one that still drains was already removed, unless it is in the file again.
        again = {program.name for program in settings.programs} & self._removals.names
        running = tuple(
            program.settings for name, program in self._supervisor.programs.items() if name not in again
        )
        return difference(replace(self._supervisor.settings, programs=running), settings)

    async def apply(self, plan: Plan, timeout: float | None) -> AsyncIterator[Told]:
        """Apply only what changed. Waits for a reload in progress, within the same timeout.

        First yields what it changes, which a reload in progress may have made differ from the plan.
        """
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        try:
            await asyncio.wait_for(self._lock.acquire(), timeout)
        except TimeoutError:
            text = "another reload is still in progress: nothing of this one was done"
            yield RolloutOutcome("*", False, text, timed_out=True)
            return
        self._notify(True)
        try:
            async for told in self._apply(plan, deadline):
                yield told
        finally:
            self._notify(False)
            self._lock.release()

    def _notify(self, on: bool) -> None:
        if self.on_reload is not None:
            self.on_reload(on)

    async def _apply(self, plan: Plan, deadline: float | None) -> AsyncIterator[Told]:
        supervisor = self._supervisor
        loop = asyncio.get_running_loop()

        def left() -> float | None:
            return None if deadline is None else max(0.0, deadline - loop.time())

        if self._prepare is not None:
            await self._prepare(plan.settings)
        changes = self._difference(plan.settings)  # There may have been another reload meanwhile.
        supervisor.settings = plan.settings
        supervisor.output.use(plan.settings.supervisor.log_format)
        supervisor.consumers.job_log.set_all(bool(plan.settings.supervisor.log_jobs))
        lines = Plan(plan.settings, changes).lines()
        for line in lines:
            supervisor.say(events.reload(line))
        added = [self._add(settings) for settings in changes.added]
        removed = [supervisor.programs[settings.name] for settings in changes.removed]
        for program in removed:
            self._removals.begin(program)
        for line in lines:
            yield line
        changed = [(supervisor.programs[change.new.name], change.new) for change in changes.changed]
        async for outcome in self._rollout.change(changed, timeout=left()):
            yield outcome
        starting = [(program, program.generation) for program in added if program.settings.autostart]
        async for outcome in self._rollout.watch(starting, deadline):
            yield outcome
        for program in removed:
            name = program.settings.name
            if await self._removals.finished(program, left()):
                yield RolloutOutcome(name, True, REMOVED)
            else:
                yield RolloutOutcome(name, False, "is still draining", timed_out=True, still_draining=True)

    def _add(self, settings: ProgramSettings) -> Program:
        """Add a program, or take one back that was removed and still drains."""
        supervisor = self._supervisor
        if settings.name not in self._removals.names:
            return supervisor.add(settings)
        program = self._removals.take_back(settings.name)
        generation = supervisor.fork_servers.generations.for_start(settings.app_spec)
        supervisor.feed(program, ev.ReplaceProgram(generation.number, settings, None))
        if settings.autostart:
            supervisor.feed(program, ev.StartProgram())
        return program
