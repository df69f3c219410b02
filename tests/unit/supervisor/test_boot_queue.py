"""How many consumers boot at once."""

from __future__ import annotations

from squids.supervisor.boot_queue import BootQueue


def test_no_more_boot_at_once_than_allowed_and_the_urgent_ones_first():
    """A slot is free again when one has booted, or will not."""
    boots = BootQueue(2)
    for child, priority in ((1, 5), (2, 5), (3, 0), (4, 5)):
        boots.want(child, priority)
    assert boots.next() == [3, 1]
    assert boots.next() == []
    boots.over(1)
    assert boots.next() == [2]
    boots.over(4)
    boots.over(3)
    assert boots.next() == []
