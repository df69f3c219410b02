"""Receives: pauses after answers that come too soon, and the trouble that is told."""

from squids.pool.polls import AT_ONCE_IS_TROUBLE, Polls, TroubleChange


def answered(polls: Polls, got: int, seconds: float, now: float) -> TroubleChange | None:
    return polls.answer(polls.start(10).number, got, seconds, now)


def receiving(wait: int) -> Polls:
    """The first one, a short poll, was answered."""
    polls = Polls(None, wait)
    answered(polls, 0, 0.001, 0.0)
    assert not polls.not_before
    return polls


def asked_in(seconds: float, polls: Polls) -> int:
    """Receives in so much time, each answered at once with nothing."""
    now, count = 0.0, 0
    while now < seconds:
        answered(polls, 0, 0.001, now)
        now = max(now + 0.001, polls.not_before)
        count += 1
    return count


def test_empty_answers_that_come_at_once_cost_a_pause_up_to_the_wait():
    assert asked_in(60.0, receiving(wait=5)) <= 20
    assert asked_in(600.0, receiving(wait=20)) <= 42


def test_polls_without_a_wait_ask_once_a_second_when_there_is_nothing():
    assert asked_in(60.0, receiving(wait=0)) <= 66


def test_the_first_message_ends_the_pauses():
    polls = receiving(wait=5)
    for number in range(8):
        answered(polls, 0, 0.001, float(number))
    assert polls.not_before > 7.0
    assert answered(polls, 1, 0.001, 8.0) is TroubleChange.HEALED
    assert polls.not_before == 0.0
    answered(polls, 0, 0.001, 9.0)
    assert polls.not_before < 9.1, "they begin anew"


def test_answers_after_the_wait_cost_no_pause():
    polls = receiving(wait=5)
    for number in range(10):
        assert answered(polls, 0, 5.0, float(number)) is None
        assert polls.not_before == 0.0


def test_answers_at_once_are_told_once_and_not_at_the_first():
    polls = receiving(wait=5)
    change = [answered(polls, 0, 0.001, float(number)) for number in range(10)]
    assert [index for index, one in enumerate(change, start=1) if one] == [AT_ONCE_IS_TROUBLE]
    assert change[AT_ONCE_IS_TROUBLE - 1] is TroubleChange.TROUBLE
    assert "a wait of 5 s was asked for" in (polls.trouble or "")


def test_polls_without_a_wait_are_no_trouble():
    polls = receiving(wait=0)
    assert not any(answered(polls, 0, 0.001, float(number)) for number in range(20))
