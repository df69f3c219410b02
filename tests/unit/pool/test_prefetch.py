"""How many messages are asked for, and when."""

import pytest

from squids.pool.prefetch import Ask, AskLater, Prefetch, View


def view(*, held=0, ready=0, running=0, idle=0, expected=0, polls=0) -> View:
    return View(held, ready, running, idle, expected, polls)


def learned(workers: int, seconds: float, *, max_held: int | None = None, receive: float = 0.008) -> Prefetch:
    prefetch = Prefetch(workers, max_held or 2 * workers)
    for _ in range(20):
        prefetch.tasks.observe(seconds)
        prefetch.received(10, 10, receive)
    return prefetch


def test_one_for_each_idle_worker_until_something_is_known():
    """Nothing is buffered before it is known how long tasks take."""
    assert Prefetch(8, 16).decide(0.0, view(idle=8)) == Ask(8)


def test_ten_second_tasks_are_not_hoarded():
    """With long tasks no message waits here while another machine could run it."""
    prefetch = learned(8, 10.0)
    assert prefetch.decide(0.0, view(held=8, running=8)) is None
    assert prefetch.decide(0.0, view(held=7, running=7, idle=1)) == Ask(1)


def test_tasks_of_fifty_milliseconds_find_the_next_one_here():
    """With medium tasks the buffer hides the time of a receive."""
    prefetch = learned(8, 0.05)
    assert isinstance(prefetch.decide(0.0, view(held=8, running=8)), Ask)
    assert prefetch.decide(0.0, view(held=12, running=8, ready=4)) is None


def test_short_tasks_wait_for_a_full_receive():
    """With short tasks a receive is asked for when it can bring ten."""
    prefetch = learned(8, 0.00002)
    assert prefetch.decide(0.0, view(held=6, running=6, idle=7)) == Ask(10)
    assert isinstance(prefetch.decide(0.0, view(held=7, running=7, idle=7)), AskLater)


def test_short_tasks_do_not_wait_for_a_long_one():
    """When room for a full receive does not come, what there is room for is asked for."""
    prefetch = learned(2, 0.00002)
    later = prefetch.decide(0.0, view(held=1, running=1, idle=1))
    assert isinstance(later, AskLater)
    assert prefetch.decide(later.at, view(held=1, running=1, idle=1)) == Ask(3)


def test_the_budget_counts_what_a_receive_may_bring():
    """Messages that a receive in progress may bring are held already, as far as the max_held goes."""
    prefetch = learned(8, 0.00002, max_held=40)
    assert prefetch.decide(0.0, view(held=10, expected=30, polls=3, idle=8)) is None


def test_one_receive_at_a_time_on_a_shallow_queue():
    """A second receive starts only where the last one came back full."""
    prefetch = learned(8, 0.00002, max_held=40)
    assert isinstance(prefetch.decide(0.0, view(expected=10, polls=1, idle=8)), Ask)
    prefetch.received(10, 3, 0.01)
    assert prefetch.decide(0.0, view(expected=10, polls=1, idle=8)) is None


def test_long_polls_do_not_count_as_slow_receives():
    """The wait of a long poll says nothing about how long SQS takes."""
    prefetch = learned(8, 0.05)
    prefetch.received(10, 1, 19.0)
    assert prefetch.receives.seconds == pytest.approx(0.008)


@pytest.mark.parametrize(("seconds", "chunk"), [(0.00002, 10), (0.0005, 4), (0.0015, 1), (10.0, 1)])
def test_a_worker_is_handed_several_only_where_tasks_are_short(seconds, chunk):
    """A message waits behind another in a worker only where tasks are shorter than the hand-over."""
    assert learned(8, seconds).chunk() == chunk


def test_one_long_task_ends_the_handing_of_several():
    """A task that turned out long is remembered."""
    prefetch = learned(8, 0.00002)
    prefetch.tasks.observe(3.0)
    assert prefetch.chunk() == 1


def test_nothing_is_asked_for_beyond_the_budget():
    """A full house asks for nothing."""
    assert learned(2, 0.00002).decide(0.0, view(held=4, running=2, ready=2)) is None
