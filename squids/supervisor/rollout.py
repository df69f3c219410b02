"""Rolls out new code or settings to running programs: the new is tried first, then takes over.

A restart imports the code that is on disk now; if that fails, the old code keeps running.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from squids.supervisor import events
from squids.supervisor.generation import Failure, Generation
from squids.supervisor.generations import Chosen
from squids.supervisor.outcome import ProgramOutcome, of_generation, timed_out
from squids.supervisor.program import events as ev
from squids.supervisor.program.events import Wanted
from squids.supervisor.program.machine import Program
from squids.supervisor.removals import Removals
from squids.supervisor.settings import AppSpec, ProgramSettings
from squids.supervisor.supervisor import Supervisor

ROLLOUT = "the rollout"
"""The log's name for the background work of `restart` and `reload`."""

_NOT_DONE = "the import is not done yet: given up"
GIVEN_UP = Failure(_NOT_DONE, None, _NOT_DONE)
"""An import that outlasted the timeout of its rollout."""


@dataclass(frozen=True, slots=True)
class RolloutOutcome:
    """The outcome for one program. `still_draining`: it is removed once it has drained.

    `short`: one line for the log, if the text has a traceback, which the log has already.
    """

    name: str
    ok: bool
    text: str
    timed_out: bool = False
    still_draining: bool = False
    short: str = ""

    def event(self) -> events.Event:
        """Return what the log says of it."""
        return events.rolled_out(
            self.name, self.short or self.text, ok=self.ok, still_draining=self.still_draining
        )


Told = str | RolloutOutcome
"""What a waiting verb is told: a line of the plan that is applied, or an outcome."""


class Rollout:
    """Rolls out code and settings."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self.removals = Removals(supervisor)
        self._new_settings: dict[str, ProgramSettings] = {}
        """The settings that programs are to get, while their code is imported."""

    def begin(self, told: AsyncIterator[Told]) -> asyncio.Queue[Told | None]:
        """Run a rollout in the background; return its plan, if it has one, and its outcomes, then None.

        It continues even if no one waits. All is also logged; an internal error is one of the outcomes.
        """
        answers: asyncio.Queue[Told | None] = asyncio.Queue()

        async def run() -> None:
            try:
                async for one in told:
                    if isinstance(one, RolloutOutcome):
                        self._supervisor.say(one.event())
                    answers.put_nowait(one)
            except Exception as error:
                answers.put_nowait(RolloutOutcome("*", False, events.internal_error(ROLLOUT, error).text))
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
            settings = self._new_settings.get(name, program.settings)
            if settings.app_spec == app_spec:
                found.append((program, settings))
        return found

    # Restart.

    async def restart(
        self, programs: list[Program], *, rolling: bool, timeout: float | None
    ) -> AsyncIterator[RolloutOutcome]:
        """Restart these programs with the code that is on disk now."""
        wanted = [(program, program.settings) for program in programs]
        async for outcome in self._roll(wanted, rolling=rolling, timeout=timeout, fresh=True):
            yield outcome

    async def change(
        self, changed: list[tuple[Program, ProgramSettings]], *, timeout: float | None
    ) -> AsyncIterator[RolloutOutcome]:
        """Roll out new settings. The code is imported again only if the app spec changed."""
        self._new_settings = {settings.name: settings for _, settings in changed}
        try:
            async for outcome in self._roll(changed, rolling=True, timeout=timeout, fresh=False):
                yield outcome
        finally:
            self._new_settings = {}

    async def _roll(
        self,
        wanted: list[tuple[Program, ProgramSettings]],
        *,
        rolling: bool,
        timeout: float | None,
        fresh: bool,
    ) -> AsyncIterator[RolloutOutcome]:
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
                    short = "" if late else f"the new code does not import: {failure.short}"
                    yield RolloutOutcome(
                        program.settings.name, False, failure.text, timed_out=late, short=short
                    )
                    continue
                name = program.settings.name
                if supervisor.programs.get(name) is not program or name in self.removals.names:
                    yield RolloutOutcome(name, False, "is no longer in the file")
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
        async for outcome in self.watch(going, deadline):
            yield outcome

    def _settings_now(self, program: Program, app_spec: AppSpec) -> ProgramSettings | None:
        """Return the settings that a program is to have, if they have this app spec.

        During the import, the file may have been reloaded, or the program scaled. None: it has another app
        spec now, whose import is newer.
        """
        new = self._new_settings.get(program.settings.name)
        replacement = program.replacement
        for settings in (new, replacement.settings if replacement else None, program.settings):
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

    async def watch(
        self, going: list[tuple[Program, int]], deadline: float | None
    ) -> AsyncIterator[RolloutOutcome]:
        """Yield the outcome of each program, given the generation that it is to run."""

        def decide(item: tuple[Program, int]) -> ProgramOutcome | None:
            program, generation = item
            supervisor = self._supervisor
            return of_generation(
                program, generation, supervisor.degraded(program), stopping=supervisor.stopping
            )

        timeout = None if deadline is None else deadline - asyncio.get_running_loop().time()
        async for (program, _), outcome in self._supervisor.waiters.each(going, decide, timeout):
            ok, text = outcome or timed_out(program)
            yield RolloutOutcome(program.settings.name, ok, text, timed_out=outcome is None)
