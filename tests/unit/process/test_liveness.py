"""How a single consumer's life reaches systemd."""

from __future__ import annotations

from dataclasses import replace

import pytest

from squids.process.figures import ConsumerFigures
from squids.process.liveness import ToSystemd


class Manager:
    """Records what it is told."""

    def __init__(self, watchdog: float | None = None) -> None:
        self.watchdog = watchdog
        self.heard: list[str] = []

    def __getattr__(self, word: str):
        return lambda *words: self.heard.append(" ".join([word, *map(str, words)]))


@pytest.fixture
def manager() -> Manager:
    return Manager()


@pytest.fixture
def clock() -> list[float]:
    return [100.0]


@pytest.fixture
def life(manager, clock) -> ToSystemd:
    return ToSystemd(manager, lambda: clock[0])


FIGURES = ConsumerFigures(busy=1, workers=2, done=7)


def test_it_is_up_when_a_receive_was_answered(manager, life):
    life.booted()
    assert manager.heard == ["status starting"]
    life.ready()
    assert manager.heard[1:] == ["ready receiving"]


def test_it_is_up_when_a_receive_failed_and_says_why(manager, life):
    """An SQS that is away is an outage, and no reason to time the unit out."""
    life.degraded("no route")
    life.degraded("no such queue")
    life.degraded(None)
    assert manager.heard == ["ready degraded: no route", "status degraded: no such queue", "status receiving"]


def test_figures_are_shown_now_and_then(manager, clock, life):
    life.ready()
    clock[0] += 10
    life.figures(FIGURES)
    clock[0] += 1
    life.figures(FIGURES)
    assert manager.heard[1:] == ["status receiving; 1/2 workers busy, 7 done"]


def test_figures_do_not_hide_a_trouble(manager, clock, life):
    life.ready()
    life.degraded("no route")
    clock[0] += 10
    life.figures(FIGURES)
    assert manager.heard[-1] == "status degraded: no route"


def test_signs_of_life_go_only_to_a_watchdog(clock):
    for watchdog, heard in ((None, []), (60.0, ["alive", "alive"])):
        manager = Manager(watchdog)
        life = ToSystemd(manager, lambda: clock[0])
        life.alive()
        life.figures(FIGURES)
        assert manager.heard == heard


def test_they_are_as_frequent_as_the_watchdog_needs(clock):
    """Three times in its time, and at least each five seconds."""
    for watchdog, seconds in ((None, 5.0), (60.0, 5.0), (3.0, 1.0)):
        assert ToSystemd(Manager(watchdog), lambda: clock[0]).alive_every == seconds


def test_a_drain_asks_for_more_time_while_it_goes_on(manager, life):
    life.ready()
    life.stopping("SIGTERM")
    assert manager.heard[1:] == ["stopping draining: SIGTERM", "extend 15.0"]
    life.alive()
    assert manager.heard[3:] == ["extend 15.0"]
    life.degraded("no route")
    assert len(manager.heard) == 4, "it is not up again"


def test_a_warning_stands_in_each_status_while_it_receives(manager, clock, life):
    """Its first figures come before the first receive is answered."""
    life.figures(replace(FIGURES, warnings=("the app has no tasks",)))
    life.ready()
    clock[0] += 10
    life.figures(replace(FIGURES, warnings=("the app has no tasks",)))
    assert [line for line in manager.heard if "receiving" in line] == [
        "ready receiving; the app has no tasks",
        "status receiving; 1/2 workers busy, 7 done; the app has no tasks",
    ]
