"""When children whose owner is gone are killed."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from squids.process.orphans import Orphans


@pytest.mark.parametrize(
    ("events", "now", "killed"),
    [
        ([], 100.0, []),
        ([("orphaned", 1, 30.0, 0.0)], 29.9, []),
        ([("orphaned", 1, 30.0, 0.0)], 30.0, [1]),
        ([("orphaned", 1, 0.0, 5.0)], 5.0, [1]),
        ([("orphaned", 1, 30.0, 0.0), ("ended", 1)], 31.0, []),
        ([("orphaned", 1, 30.0, 0.0), ("orphaned", 2, 10.0, 0.0)], 15.0, [2]),
        ([("orphaned", 1, 30.0, 0.0), ("orphaned", 2, 10.0, 0.0)], 35.0, [1, 2]),
        ([("orphaned", 1, 10.0, 0.0), ("orphaned", 1, 99.0, 5.0)], 10.0, [1]),
        ([("ended", 7)], 100.0, []),
    ],
    ids=[
        "nobody",
        "in its grace",
        "its grace is over",
        "no grace",
        "it ended before that is fine",
        "each has its own grace",
        "both are over",
        "a second notice gives no more time",
        "the end of a stranger",
    ],
)
def test_the_table(events, now, killed):
    """Events, and who is killed at a time."""
    orphans = Orphans()
    for name, *arguments in events:
        getattr(orphans, name)(*arguments)
    assert orphans.due(now) == killed


def test_each_is_named_once():
    """A killed child that takes its time to die is not killed again and again."""
    orphans = Orphans()
    orphans.orphaned(1, 1.0, 0.0)
    assert orphans.due(2.0) == [1]
    assert orphans.due(3.0) == []
    assert orphans.wakes_at() is None


class OrphansMachine(RuleBasedStateMachine):
    """Against the plainest model: a deadline for each."""

    def __init__(self) -> None:
        super().__init__()
        self.orphans = Orphans()
        self.model: dict[int, float] = {}
        self.now = 0.0

    @rule(child=st.integers(1, 5), grace=st.floats(0, 100))
    def orphaned(self, child: int, grace: float) -> None:
        self.orphans.orphaned(child, grace, self.now)
        self.model.setdefault(child, self.now + grace)

    @rule(child=st.integers(1, 5))
    def ended(self, child: int) -> None:
        self.orphans.ended(child)
        self.model.pop(child, None)

    @rule(seconds=st.floats(0, 60))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        over = {child for child, until in self.model.items() if until <= self.now}
        assert set(self.orphans.due(self.now)) == over
        for child in over:
            del self.model[child]

    @invariant()
    def it_wakes_for_the_next_and_for_nothing_else(self) -> None:
        assert self.orphans.wakes_at() == min(self.model.values(), default=None)
        assert len(self.orphans) == len(self.model)


TestOrphans = OrphansMachine.TestCase
