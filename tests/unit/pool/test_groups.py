"""FIFO order inside message groups."""

import pytest

from squids.pool.groups import Groups


def test_the_first_of_a_group_is_its_head():
    """Only the first message of a group may start."""
    groups = Groups()
    assert groups.add("g", "1") is True
    assert groups.add("g", "2") is False
    assert groups.followers("g") == ["2"]


def test_groups_do_not_wait_for_each_other():
    """Each group has a head of its own."""
    groups = Groups()
    assert groups.add("a", "1") is True
    assert groups.add("b", "2") is True


def test_the_next_is_head_when_the_head_is_gone():
    """Removing the head tells who is next."""
    groups = Groups()
    for message in ("1", "2", "3"):
        groups.add("g", message)
    assert groups.remove("g", "1") == "2"
    assert groups.followers("g") == ["3"]


def test_removing_a_follower_makes_no_head():
    """A follower that goes back changes nothing for the head."""
    groups = Groups()
    for message in ("1", "2", "3"):
        groups.add("g", message)
    assert groups.remove("g", "2") is None
    assert groups.remove("g", "1") == "3"


def test_an_empty_group_is_forgotten():
    """Groups come and go without end: an empty one takes no memory."""
    groups = Groups()
    groups.add("g", "1")
    assert groups.remove("g", "1") is None
    assert groups.remove("g", "1") is None
    assert groups._members == {}


def test_a_message_is_held_once():
    """Adding a message twice is a fault of the caller."""
    groups = Groups()
    groups.add("g", "1")
    with pytest.raises(ValueError, match="already held"):
        groups.add("g", "1")
