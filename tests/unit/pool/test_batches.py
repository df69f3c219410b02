"""When settle calls leave, and with whom."""

import pytest

from squids.pool.batches import LINGER, Batch, Entry, Lingering, Operation


def filled(count: int, now: float = 0.0) -> Lingering:
    waiting = Lingering()
    for number in range(count):
        waiting.add(str(number), now)
    return waiting


def test_ten_leave_at_once():
    """A full batch waits for nobody."""
    assert len(filled(12).take(0.0, company_expected=True)) == 10


def test_fewer_wait_for_company():
    """An entry waits while others can be expected."""
    assert filled(3).take(0.0, company_expected=True) == []


def test_fewer_leave_when_no_company_comes():
    """An entry does not wait when nothing runs that could join it."""
    assert len(filled(3).take(0.0, company_expected=False)) == 3


def test_fewer_leave_after_the_linger():
    """An entry waits no longer than the linger."""
    waiting = filled(3)
    assert waiting.wakes_at() == LINGER
    assert len(waiting.take(LINGER, company_expected=True)) == 3
    assert waiting.wakes_at() is None


def test_an_urgent_one_takes_all_along():
    """When somebody waits for an entry, it leaves now, and the others with it."""
    waiting = filled(2)
    waiting.add("u", 0.0, urgent=True)
    assert set(waiting.take(0.0, company_expected=True)) == {"0", "1", "u"}


def test_an_urgent_one_is_not_left_behind_by_a_full_batch():
    """The urgent go first."""
    waiting = filled(15)
    waiting.add("u", 0.0, urgent=True)
    assert "u" in waiting.take(0.0, company_expected=True)


def test_an_entry_that_failed_alone_waits_alone():
    """A delay of its own holds back one entry and nobody else."""
    waiting = Lingering()
    waiting.add("bad", 0.0, delay=2.0)
    waiting.add("good", 0.0)
    assert waiting.take(0.0, company_expected=False) == ["good"]
    assert waiting.take(1.0, company_expected=False) == []
    assert waiting.take(2.0, company_expected=False) == ["bad"]


def test_a_failed_call_holds_back_its_kind():
    """After a call without an answer nothing of its kind leaves before the backoff."""
    waiting = filled(10)
    waiting.call_failed(0.0, jitter=0.0)
    assert waiting.take(0.0, company_expected=False) == []
    at = waiting.wakes_at()
    assert at is not None and at > 0
    assert len(waiting.take(at, company_expected=False)) == 10


def test_an_answer_forgets_the_backoff():
    """Once SQS answers, nothing is held back."""
    waiting = filled(10)
    waiting.call_failed(0.0, jitter=0.0)
    waiting.call_answered()
    assert len(waiting.take(0.0, company_expected=False)) == 10


@pytest.mark.parametrize("count", [0, 11])
def test_a_batch_has_one_to_ten_entries(count):
    """SQS refuses an empty batch, and one of more than ten."""
    with pytest.raises(ValueError, match="1 to 10"):
        Batch(Operation.DELETE, tuple(Entry(str(n), "r") for n in range(count)))
