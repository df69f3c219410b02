"""Which generation a program starts from."""

from __future__ import annotations

import itertools

import pytest

from squids.supervisor.generation import Failure, Generation
from squids.supervisor.generations import Generations
from squids.supervisor.program import events as ev
from squids.supervisor.program.machine import Program
from squids.supervisor.program.rules import handle
from squids.supervisor.settings import AppSpec, ProgramSettings

SHOP = AppSpec("shop:app", "/srv/shop")
CLUB = AppSpec("club:app", "/srv/club")


@pytest.fixture
def generations() -> Generations:
    return Generations()


def settings_of(app_spec: AppSpec) -> ProgramSettings:
    return ProgramSettings("emails", "emails", app_spec, (("queue", "emails"), ("shutdown_timeout", 5.0)))


def program_on(generation: Generation) -> Program:
    return Program(settings_of(generation.app_spec), generation.number, itertools.count(1))


def test_programs_of_one_app_spec_start_from_one_generation(generations):
    first = generations.for_start(SHOP)
    assert generations.for_start(SHOP) is first
    assert generations.for_start(CLUB) is not first
    newer = generations.new(SHOP)
    assert generations.for_start(SHOP) is newer, "the newest, whatever became of it"


def test_code_on_trial_is_imported_once_where_each_process_imports_for_itself(generations):
    fresh = AppSpec("shop:app", "/srv/shop", preload=False)
    assert generations.new(fresh, on_trial=True).on_trial
    assert not generations.new(SHOP, on_trial=True).on_trial, "a fork server imports it in any case"


def test_a_port_may_be_open_already_if_other_processes_import_the_same_app(generations):
    first = generations.new(SHOP)
    assert not generations.share_ports(first), "it is the first"
    generations.new(CLUB).shares = False
    assert not generations.share_ports(first), "another app has its own"
    first.shares = False
    assert generations.share_ports(first), "its processes are several"
    assert generations.share_ports(generations.new(SHOP)), "those of the old generation still run"


def test_code_on_trial_is_alone_with_its_ports(generations):
    trial = generations.new(AppSpec("shop:app", "/srv/shop", preload=False), on_trial=True)
    assert not generations.share_ports(trial)
    trial.on_trial = False
    assert generations.share_ports(trial)


def test_a_restart_imports_anew_once_for_all_programs_of_an_app_spec(generations):
    shop, club = generations.new(SHOP), generations.new(CLUB)
    programs = [program_on(shop), program_on(club), program_on(shop)]
    to_import, chosen = generations.for_rollout([(one, one.settings) for one in programs], fresh=True)
    assert set(to_import) == {SHOP, CLUB}
    assert {one.number for one in to_import.values()}.isdisjoint({shop.number, club.number})
    assert [(program, generation) for program, _, generation in chosen] == [
        (programs[0], to_import[SHOP]),
        (programs[1], to_import[CLUB]),
        (programs[2], to_import[SHOP]),
    ]


def test_a_reload_of_the_file_keeps_the_code_that_runs(generations):
    """Only what moves to another app spec needs an import, of which there may be one already."""
    shop = generations.new(SHOP)
    generations.new(SHOP)  # A newer one, which this program was not given.
    program = program_on(shop)
    to_import, chosen = generations.for_rollout([(program, program.settings)], fresh=False)
    assert not to_import
    assert chosen == [(program, program.settings, shop)]
    club = generations.new(CLUB)
    to_import, chosen = generations.for_rollout([(program, settings_of(CLUB))], fresh=False)
    assert to_import == {CLUB: club}
    assert chosen == [(program, settings_of(CLUB), club)]


def test_a_program_that_was_given_newer_code_meanwhile_keeps_it(generations):
    old, ours, newer = generations.new(SHOP), generations.new(SHOP), generations.new(SHOP)
    program = program_on(old)
    assert generations.unless_overtaken(program, ours) is ours
    program.generation = newer.number
    assert generations.unless_overtaken(program, ours) is newer
    program.generation = generations.new(CLUB).number
    assert generations.unless_overtaken(program, ours) is ours, "it is to leave that app"


def test_a_replacement_on_its_way_counts_as_given(generations):
    old, ours, newer = generations.new(SHOP), generations.new(SHOP), generations.new(SHOP)
    program = program_on(old)
    handle(program, ev.StartProgram(), 0.0)
    child = program.current.child
    for event in (ev.ProcessSpawned(child, 7), ev.ProcessBooted(child), ev.ProcessReady(child)):
        handle(program, event, 1.0)
    handle(program, ev.ReplaceProgram(newer.number, program.settings, 5.0), 2.0)
    assert program.replacement is not None
    assert generations.unless_overtaken(program, ours) is newer


def test_what_a_rollout_holds_is_kept_until_it_is_over_even_if_two_hold_it(generations):
    used, held, unused = generations.new(SHOP), generations.new(SHOP), generations.new(SHOP)
    with generations.holding([held]), pytest.raises(RuntimeError), generations.holding([held]):
        raise RuntimeError
    assert not generations.held
    with generations.holding([held]):
        with generations.holding([held]):
            pass
        assert generations.held == {held.number}
        assert generations.keep_only({used.number} | generations.held) == [unused]
    assert generations.get(held.number) is held
    assert generations.keep_only({used.number}) == [held]
    assert list(generations) == [used]
    assert generations.new(SHOP).number == 4, "a number is never used again"


def test_an_operator_gets_what_is_on_disk_now(generations):
    """Code whose files changed, or whose import failed, is imported again; the rest is shared."""
    first = generations.for_start(SHOP)
    assert generations.for_operator(first, stale=False) is first
    second = generations.for_operator(first, stale=True)
    assert second is not first
    second.failure = Failure("no", None, "no")
    assert generations.for_operator(second, stale=False).number == 3
