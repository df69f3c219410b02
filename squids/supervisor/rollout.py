"""Rolls out new code or settings to running programs: the new is tried first, then takes over.

A restart imports the code that is on disk now; if that fails, the old code keeps running. A reload touches
only what changed in the file.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from squids.supervisor import events
from squids.supervisor.config.difference import Difference, difference
from squids.supervisor.generation import Failure, Generation
from squids.supervisor.generations import Chosen
from squids.supervisor.outcome import ProgramOutcome, of_generation, timed_out
from squids.supervisor.program import events as ev
from squids.supervisor.program.events import Wanted
from squids.supervisor.program.machine import Program
from squids.supervisor.settings import AppSpec, ProgramSettings, Settings
from squids.supervisor.supervisor import Supervisor
from squids.supervisor.threads import NoThread, in_thread

READ_SECONDS = 30.0
"""How long reading the file may take."""

Read = Callable[[], "Settings | list[str]"]
Prepare = Callable[[Settings], Awaitable[None]]

_NOT_DONE = "the import is not done yet: given up"
GIVEN_UP = Failure(_NOT_DONE, None, _NOT_DONE)
"""An import that outlasted the timeout of its rollout."""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """The outcome for one program."""

    name: str
    ok: bool
    text: str
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """A file that was read, and what it changes."""

    settings: Settings
    changes: Difference

    def lines(self) -> list[str]:
        return [*self.settings.warnings, *self.changes.lines()]


ROLLOUT = "the rollout"
"""The log's name for the background work of `restart` and `reload`."""


class Rollout:
    """Rolls out code and settings.

    `read` reads the file: it returns the settings, or all problems. `prepare` is awaited before new settings
    are applied.
    """

    def __init__(self, supervisor: Supervisor, read: Read, prepare: Prepare | None = None) -> None:
        self._supervisor = supervisor
        self._read = read
        self._prepare = prepare
        self._lock = asyncio.Lock()
        self._hangs: asyncio.Task[Settings | list[str]] | None = None
        """A read of the file that did not return in time."""
        self._coming: dict[str, ProgramSettings] = {}
        self.removing: set[str] = set()
        """Programs that are no longer in the file, and drain."""
        self.last_error: str | None = None
        self.on_reload: Callable[[bool], None] | None = None
        """Called with True when a reload of the file begins, and with False when it ends."""

    def begin(self, outcomes: AsyncIterator[Reloaded]) -> asyncio.Queue[Reloaded | None]:
        """Run a rollout in the background; return its outcomes, followed by None.

        It continues even if no one waits. Outcomes are also logged; an internal error is one of them.
        """
        answers: asyncio.Queue[Reloaded | None] = asyncio.Queue()

        async def run() -> None:
            try:
                async for outcome in outcomes:
                    self._supervisor.say(events.rolled_out(outcome.name, outcome.text, ok=outcome.ok))
                    answers.put_nowait(outcome)
            except Exception as error:
                answers.put_nowait(Reloaded("*", False, events.internal_error(ROLLOUT, error).text))
                raise
            finally:
                answers.put_nowait(None)

        self._supervisor.background.start(ROLLOUT, run())
        return answers

    # Reload of code.

    async def take_new_code(self, app_spec: AppSpec, kill_after: float | None) -> Failure | None:
        """Import what is on disk now; if that succeeds, switch the programs of this app spec to it.

        The old processes run until the new ones receive. Cancelling abandons the import.
        """
        supervisor = self._supervisor
        generation = supervisor.fork_servers.generations.new(app_spec, on_trial=True)
        chosen = [(program, settings, generation) for program, settings in self._of_app_spec(app_spec)]
        with self._holding([generation]):
            failures = await self._import({app_spec: generation}, chosen, None)
            failure = failures.get(generation.number)
            if failure is not None:
                supervisor.stale[app_spec] = failure.short
                return failure
            supervisor.stale.pop(app_spec, None)
            # Asked again: there may have been a reload.
            for program, settings in self._of_app_spec(app_spec):
                seconds = settings.shutdown_timeout if kill_after is None else kill_after
                supervisor.feed(program, ev.ReplaceProgram(generation.number, settings, seconds))
        return None

    @contextmanager
    def _holding(self, generations: Iterable[Generation]) -> Iterator[None]:
        """Keep these while they are imported; then only what programs were given."""
        try:
            with self._supervisor.fork_servers.generations.holding(generations):
                yield
        finally:
            self._supervisor.release_generations()

    def _of_app_spec(self, app_spec: AppSpec) -> list[tuple[Program, ProgramSettings]]:
        """Return the programs that use or will use this app spec, with the settings that they are to have."""
        found = []
        for name, program in self._supervisor.programs.items():
            settings = self._coming.get(name, program.settings)
            if settings.app_spec == app_spec:
                found.append((program, settings))
        return found

    # Restart.

    async def restart(
        self, programs: list[Program], *, rolling: bool, timeout: float | None
    ) -> AsyncIterator[Reloaded]:
        """Restart these programs with the code that is on disk now."""
        wanted = [(program, program.settings) for program in programs]
        async for outcome in self._roll(wanted, rolling=rolling, timeout=timeout, fresh=True):
            yield outcome

    async def _roll(
        self,
        wanted: list[tuple[Program, ProgramSettings]],
        *,
        rolling: bool,
        timeout: float | None,
        fresh: bool,
    ) -> AsyncIterator[Reloaded]:
        """`fresh`: from a new import; otherwise from the current one if the app spec is the same."""
        supervisor = self._supervisor
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        down = {program for program, _ in wanted if program.wanted is Wanted.DOWN}
        generations = supervisor.fork_servers.generations
        to_import, chosen = generations.for_rollout(wanted, fresh=fresh)
        going: list[tuple[Program, int]] = []
        with self._holding(to_import.values()):
            failures = await self._import(to_import, chosen, deadline)
            for program, _, generation in chosen:
                if (failure := failures.get(generation.number)) is not None:
                    late = failure is GIVEN_UP
                    yield Reloaded(program.settings.name, False, failure.text, timed_out=late)
                    continue
                name = program.settings.name
                if supervisor.programs.get(name) is not program or name in self.removing:
                    yield Reloaded(name, False, "is no longer in the file")
                    continue
                now = self._settings_now(program, generation.app_spec)
                generation = generations.unless_overtaken(program, generation)
                if now is not None:
                    stopped = program.wanted is Wanted.DOWN and program not in down  # During the import.
                    event = (
                        ev.ReplaceProgram if rolling or stopped or supervisor.stopping else ev.RestartProgram
                    )
                    supervisor.feed(program, event(generation.number, now))
                    supervisor.stale.pop(generation.app_spec, None)
                going.append((program, generation.number))
        async for outcome in self._watch(going, deadline):
            yield outcome

    def _settings_now(self, program: Program, app_spec: AppSpec) -> ProgramSettings | None:
        """Return the settings that a program is to have, if they have this app spec.

        During the import, the file may have been reloaded, or the program scaled. None: it has another app
        spec now, whose import is newer.
        """
        coming = self._coming.get(program.settings.name)
        replacement = program.replacement
        for settings in (coming, replacement.settings if replacement else None, program.settings):
            if settings is not None and settings.app_spec == app_spec:
                return settings
        return None

    async def _import(
        self,
        generations: dict[AppSpec, Generation],
        chosen: Chosen,
        deadline: float | None,
    ) -> dict[int, Failure]:
        failures: dict[int, Failure] = {}
        loop = asyncio.get_running_loop()
        answers: list[asyncio.Future[None]] = []
        for generation in generations.values():
            answer: asyncio.Future[None] = loop.create_future()
            answers.append(answer)

            def call(
                failure: Failure | None,
                generation: Generation = generation,
                answer: asyncio.Future[None] = answer,
            ) -> None:
                if failure is not None:
                    failures[generation.number] = failure
                if not answer.done():
                    answer.set_result(None)

            seconds = max(settings.start_timeout for _, settings, other in chosen if other is generation)
            self._supervisor.fork_servers.when_ready(generation, call, seconds)
        if answers:
            left = None if deadline is None else max(0.0, deadline - loop.time())
            await asyncio.wait(answers, timeout=left)
        for generation, answer in zip(generations.values(), answers, strict=True):
            if not answer.done():
                failures[generation.number] = GIVEN_UP
        return failures

    async def _watch(
        self, going: list[tuple[Program, int]], deadline: float | None
    ) -> AsyncIterator[Reloaded]:
        def decide(item: tuple[Program, int]) -> ProgramOutcome | None:
            program, generation = item
            return of_generation(program, generation, self._supervisor.degraded(program))

        timeout = None if deadline is None else deadline - asyncio.get_running_loop().time()
        async for (program, _), outcome in self._supervisor.waiters.each(going, decide, timeout):
            ok, text = outcome or timed_out(program)
            yield Reloaded(program.settings.name, ok, text, timed_out=outcome is None)

    # Reload.

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
        if self._hangs is not None and not self._hangs.done():
            return ["an earlier read of the file has not returned yet: is its file system available?"]
        reading = asyncio.ensure_future(in_thread(self._read))
        try:
            done, _ = await asyncio.wait([reading], timeout=READ_SECONDS)
            if not done:
                self._hangs = reading
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
        running = tuple(program.settings for program in self._supervisor.programs.values())
        return difference(replace(self._supervisor.settings, programs=running), settings)

    async def apply(self, plan: Plan, timeout: float | None) -> AsyncIterator[Reloaded]:
        """Apply only what changed. Waits for a reload in progress, within the same timeout."""
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        try:
            await asyncio.wait_for(self._lock.acquire(), timeout)
        except TimeoutError:
            text = "another reload is still in progress: nothing of this one was done"
            yield Reloaded("*", False, text, timed_out=True)
            return
        self._tell_reload(True)
        try:
            async for outcome in self._apply(plan, deadline):
                yield outcome
        finally:
            self.removing.clear()  # Even after an error: start and restart would refuse them forever.
            self._tell_reload(False)
            self._lock.release()

    def _tell_reload(self, on: bool) -> None:
        if self.on_reload is not None:
            self.on_reload(on)

    async def _apply(self, plan: Plan, deadline: float | None) -> AsyncIterator[Reloaded]:
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
        for line in plan.lines():
            supervisor.say(events.reload(line))
        added = [supervisor.add(settings) for settings in changes.added]
        removed = [supervisor.programs[settings.name] for settings in changes.removed]
        for program in removed:
            self.removing.add(program.settings.name)
            supervisor.feed(program, ev.StopProgram())
        changed = [(supervisor.programs[change.new.name], change.new) for change in changes.changed]
        self._coming = {change.new.name: change.new for change in changes.changed}
        try:
            async for outcome in self._roll(changed, rolling=True, timeout=left(), fresh=False):
                yield outcome
        finally:
            self._coming = {}
        starting = [(program, program.generation) for program in added if program.settings.autostart]
        async for outcome in self._watch(starting, deadline):
            yield outcome
        for program in removed:
            name = program.settings.name
            gone = await supervisor.waiters.until(lambda program=program: program.gone, left())  # type: ignore[misc]
            self.removing.discard(name)
            if gone:
                supervisor.remove(name)
                yield Reloaded(name, True, "stopped and removed")
            else:
                yield Reloaded(name, False, "is still draining", timed_out=True)
