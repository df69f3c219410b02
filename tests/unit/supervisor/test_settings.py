"""What settings say about each other."""

from __future__ import annotations

from dataclasses import replace

from squids.supervisor.settings import (
    AppSpec,
    ProgramSettings,
    ReloadSettings,
    Settings,
    SupervisorSettings,
)


def program(name, **changes):
    return replace(ProgramSettings(name, name, AppSpec("shop:app", "/srv"), (("queue", name),)), **changes)


def test_the_longest_drain_is_the_longest_of_what_a_stop_may_wait_for():
    """Tasks, a receive under way, and tasks on code that was replaced."""

    def of(*options):
        programs = tuple(program(str(number), options=more) for number, more in enumerate(options))
        return Settings(SupervisorSettings(), programs)

    brief = ("shutdown_timeout", 1.0)
    assert of((), (brief,)).longest_drain == 30.0, "the default of one of them"
    quick = of((brief,), (brief, ("polling_wait_time", 20)))
    assert quick.longest_drain == 20.0
    reload = ReloadSettings(kill_after=60.0)
    assert replace(quick, reload=reload).longest_drain == 20.0, "nothing is reloaded"
    assert replace(quick, reload=replace(reload, enabled=True)).longest_drain == 60.0
