"""Waiting for others, in a loop whose time passes as the tests say."""

from __future__ import annotations

import pytest

from squids.process.patience import LATE, after


class Loop:
    """It has one timer."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timer = None

    def time(self) -> float:
        return self.now

    def call_at(self, at, call) -> None:
        self.timer = (at, call)

    def wakes(self, at: float) -> None:
        """The timer runs, at this time."""
        self.now = at
        (_, call), self.timer = self.timer, None
        call()


@pytest.fixture
def loop() -> Loop:
    return Loop()


def test_the_call_comes_after_its_time(loop):
    heard: list[object] = []
    after(loop, 5.0, heard.append, "worker 1")
    assert loop.timer[0] == 105.0
    loop.wakes(105.0 + LATE / 2)
    assert heard == ["worker 1"]
    assert loop.timer is None


def test_who_was_stopped_meanwhile_waits_anew(loop):
    """A machine that slept for an hour: the others slept, too, and each has its whole time again."""
    heard: list[object] = []
    after(loop, 5.0, heard.append, "worker 1")
    loop.wakes(3600.0)
    assert heard == []
    assert loop.timer[0] == 3605.0
    loop.wakes(7200.0)
    assert heard == []
    loop.wakes(7205.0)
    assert heard == ["worker 1"]
