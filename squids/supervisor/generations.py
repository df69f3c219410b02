"""All generations, and the one answer to which of them a program starts from.

| who | starts from |
| --- | --- |
| a program that is new in the file | the newest of its app spec, even if its import failed; else a new one |
| a program that an operator starts | the same; a new one if that import failed, or its files changed since |
| a restart with new code, a reload of code | a new one |
| a reload of the file | the one that it runs; under another app spec, the newest of that |

A rollout holds its generations while they are imported. A program that was given a newer one in that time
keeps it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from squids.supervisor.generation import Generation
from squids.supervisor.program.machine import Program
from squids.supervisor.settings import AppSpec, ProgramSettings

Chosen = list[tuple[Program, ProgramSettings, Generation]]
"""Each program with the settings and the generation that it is to run."""


class Generations:
    """The generations by number, oldest first."""

    def __init__(self) -> None:
        self._by_number: dict[int, Generation] = {}
        self._next = 1
        self._held: list[int] = []

    def __iter__(self) -> Iterator[Generation]:
        return iter(tuple(self._by_number.values()))

    def __len__(self) -> int:
        return len(self._by_number)

    def __getitem__(self, number: int) -> Generation:
        return self._by_number[number]

    def get(self, number: int) -> Generation | None:
        """The generation of this number; None if it is gone, or never was."""
        return self._by_number.get(number)

    def new(self, app_spec: AppSpec, *, on_trial: bool = False) -> Generation:
        """A new import of this app spec. It begins when it is first waited for.

        `on_trial`: import it once even where each process of it is a fresh interpreter.
        """
        generation = Generation(
            self._next, app_spec, shares=app_spec.preload, on_trial=on_trial and not app_spec.preload
        )
        self._next += 1
        self._by_number[generation.number] = generation
        return generation

    def newest(self, app_spec: AppSpec) -> Generation | None:
        """The newest generation of this app spec, even if its import failed; None if there is none."""
        found = [generation for generation in self if generation.app_spec == app_spec]
        return found[-1] if found else None

    def for_start(self, app_spec: AppSpec) -> Generation:
        """What a program of this app spec starts from."""
        return self.newest(app_spec) or self.new(app_spec)

    def for_operator(self, generation: Generation, *, stale: bool) -> Generation:
        """Return this generation, or a new one if its import failed or its files are stale."""
        is_old = stale or generation.failure is not None
        return self.new(generation.app_spec) if is_old else generation

    def for_rollout(
        self, wanted: Iterable[tuple[Program, ProgramSettings]], *, fresh: bool
    ) -> tuple[dict[AppSpec, Generation], Chosen]:
        """The generations to import, and what each program is to run.

        `fresh`: all of them new; else a program keeps its own, if that is of its app spec.
        """
        to_import: dict[AppSpec, Generation] = {}
        chosen: Chosen = []
        for program, settings in wanted:
            own, app_spec = self[program.generation], settings.app_spec
            if not fresh and own.app_spec == app_spec:
                chosen.append((program, settings, own))
                continue
            if app_spec not in to_import:
                known = None if fresh else self.newest(app_spec)
                to_import[app_spec] = known or self.new(app_spec, on_trial=True)
            chosen.append((program, settings, to_import[app_spec]))
        return to_import, chosen

    def unless_overtaken(self, program: Program, generation: Generation) -> Generation:
        """The generation, or the newer one of its app spec that the program was given since."""
        asked = program.generation if program.replacement is None else program.replacement.generation
        other = self[asked]
        is_newer = other.app_spec == generation.app_spec and other.number > generation.number
        return other if is_newer else generation

    def share_ports(self, generation: Generation) -> bool:
        """Whether other processes import this app too, so that its ports may be open already."""
        alone = [one for one in self if not one.shares and one.app_spec.app == generation.app_spec.app]
        return alone != ([generation] if generation.on_trial else [])

    @contextmanager
    def holding(self, generations: Iterable[Generation]) -> Iterator[None]:
        """Keep these, though no program runs them yet."""
        numbers = [generation.number for generation in generations]
        self._held += numbers
        try:
            yield
        finally:
            for number in numbers:
                self._held.remove(number)

    @property
    def held(self) -> set[int]:
        """The numbers of those that a rollout holds."""
        return set(self._held)

    def keep_only(self, numbers: set[int]) -> list[Generation]:
        """Remove all but these, and return what was removed."""
        dropped = [one for one in self if one.number not in numbers]
        for generation in dropped:
            del self._by_number[generation.number]
        return dropped
