"""Compares two configurations: which programs are added, removed, changed or unchanged. Pure."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from squids.supervisor.settings import AppSpec, ProgramSettings, Settings


@dataclass(frozen=True, slots=True)
class Change:
    """A program that is in both configurations. `keys`: what differs, for people."""

    old: ProgramSettings
    new: ProgramSettings
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """What changes between two configurations."""

    added: tuple[ProgramSettings, ...]
    removed: tuple[ProgramSettings, ...]
    changed: tuple[Change, ...]
    unchanged: tuple[str, ...]
    supervisor: tuple[str, ...]

    @property
    def empty(self) -> bool:
        """Whether nothing changes."""
        return not (self.added or self.removed or self.changed or self.supervisor)

    def lines(self) -> list[str]:
        """For people: a line for each change; unchanged programs are counted."""
        lines = [f"+ {program.name}" for program in self.added]
        lines += [f"- {program.name}" for program in self.removed]
        lines += [f"~ {change.new.name}: {', '.join(change.keys)}" for change in self.changed]
        lines += [f"~ supervisor: {text}" for text in self.supervisor]
        if not lines:
            return ["nothing changed"]
        noun = "program stays as it is" if len(self.unchanged) == 1 else "programs stay as they are"
        return [*lines, f"= {len(self.unchanged)} {noun}"]


NEEDS_RESTART = ("socket", "socket_mode", "socket_group")
"""Keys of the supervisor that take effect at its next start."""


def difference(old: Settings, new: Settings) -> Difference:
    """Compare two configurations."""
    before = {program.name: program for program in old.programs}
    after = {program.name: program for program in new.programs}
    changed, unchanged = [], []
    for name, program in after.items():
        if name not in before:
            continue
        if program == before[name]:
            unchanged.append(name)
        else:
            changed.append(Change(before[name], program, tuple(_differences(before[name], program))))
    return Difference(
        added=tuple(program for name, program in after.items() if name not in before),
        removed=tuple(program for name, program in before.items() if name not in after),
        changed=tuple(changed),
        unchanged=tuple(unchanged),
        supervisor=tuple(_of_supervisor(old, new)),
    )


def _differences(old: ProgramSettings, new: ProgramSettings) -> list[str]:
    found = _of_pairs(dict(old.options), dict(new.options))
    found += [
        text
        for field in fields(AppSpec)
        if field.name not in ("environment", "logging")
        for text in _of(field.name, getattr(old.app_spec, field.name), getattr(new.app_spec, field.name))
    ]
    environments = dict(old.app_spec.environment), dict(new.app_spec.environment)
    found += [
        f"environment.{name}"  # Without its values, which may be secrets.
        for name in sorted(environments[0].keys() | environments[1].keys())
        if environments[0].get(name, ...) != environments[1].get(name, ...)
    ]
    if old.app_spec.logging != new.app_spec.logging:
        found.append("logging")  # Without its contents, which are long, and may be secrets.
    for field in fields(ProgramSettings):
        if field.name not in ("options", "app_spec", "name", "key", "sqs_queue"):
            found += _of(field.name, getattr(old, field.name), getattr(new, field.name))
    return found


def _of_supervisor(old: Settings, new: Settings) -> list[str]:
    found: list[str] = []
    for field in fields(type(old.supervisor)):
        when = " (from the next start)" if field.name in NEEDS_RESTART else ""
        values = getattr(old.supervisor, field.name), getattr(new.supervisor, field.name)
        found.extend(text + when for text in _of(field.name, *values))
    return found


def _of_pairs(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [
        text for name in sorted(old.keys() | new.keys()) for text in _of(name, old.get(name), new.get(name))
    ]


def _of(name: str, old: object, new: object) -> list[str]:
    return [] if old == new else [f"{name} {_shown(old)} -> {_shown(new)}"]


def _shown(value: object) -> str:
    if value is None:
        return "default"
    if hasattr(value, "value"):
        return str(value.value)
    if isinstance(value, tuple):
        return "{" + ", ".join(f"{key}: {_shown(item)}" for key, item in value) + "}"
    if isinstance(value, float):
        return f"{value:g}"
    if hasattr(value, "__slots__"):
        return "{" + ", ".join(f"{name}: {_shown(getattr(value, name))}" for name in value.__slots__) + "}"
    return str(value)
