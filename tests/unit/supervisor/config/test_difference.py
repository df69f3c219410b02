"""What changed between two configurations."""

from __future__ import annotations

from dataclasses import replace

from squids.supervisor.config.difference import difference
from squids.supervisor.settings import (
    AppSpec,
    ProgramSettings,
    Settings,
    SupervisorSettings,
)


def program(name, **changes):
    return replace(ProgramSettings(name, name, AppSpec("shop:app", "/srv"), (("queue", name),)), **changes)


def test_the_difference_of_two_files():
    """Each program once, with the keys that differ; no value of an environment is shown."""
    old = Settings(SupervisorSettings(), (program("a"), program("b"), program("c")))
    changed = replace(program("b", nice=3), app_spec=AppSpec("shop:app", "/srv", (("SECRET", "hush"),)))
    new = Settings(SupervisorSettings(log_format="json"), (program("a"), changed, program("d")))
    found = difference(old, new)
    assert found.lines() == [
        "+ d",
        "- c",
        "~ b: environment.SECRET, nice 0 -> 3",
        "~ supervisor: log_format default -> json",
        "= 1 program stays as it is",
    ]
    assert found.changed[0].old.app_spec != found.changed[0].new.app_spec
    assert difference(old, old).lines() == ["nothing changed"]
