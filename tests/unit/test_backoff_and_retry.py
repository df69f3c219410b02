"""Delays: exponential, jittered, bounded, forgotten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squids.backoff import Backoff, exponential
from squids.retry import RetryPolicy


@given(st.integers(1, 10**6), st.floats(0, 1))
def test_the_delay_is_between_half_and_all_of_the_whole(attempt, jitter):
    """Doubled at each attempt up to the maximum, at most half of it random."""
    whole = min(900.0, 2.0 * 2.0 ** min(attempt - 1, 60))
    delay = exponential(attempt, first=2.0, maximum=900.0, jitter=jitter)
    assert whole / 2 <= delay <= whole


@pytest.mark.parametrize(("attempt", "jitter"), [(0, 0.5), (1, -0.1), (1, 1.1)])
def test_nonsense_is_refused(attempt, jitter):
    """Attempts count from one, and jitter is a share."""
    with pytest.raises(ValueError):
        exponential(attempt, first=1, maximum=2, jitter=jitter)


def test_failures_in_a_row_wait_longer_and_are_forgotten():
    """A backoff grows with failures, and a reset forgets them."""
    backoff = Backoff(first=1.0, maximum=60.0)
    assert backoff.failed(0.0, 1.0) == 1.0
    assert backoff.failed(10.0, 1.0) == 12.0
    assert backoff.failed(20.0, 1.0) == 24.0
    backoff.reset()
    assert backoff.failed(202.0, 1.0) == 203.0


@pytest.mark.parametrize(("count", "seconds"), [(1, 2), (2, 4), (5, 32), (9, 512), (10, 900), (1000, 900)])
def test_the_default_policy(count, seconds):
    """2 s doubling to 15 min, by the receive count; whole seconds, as SQS takes them."""
    assert RetryPolicy().decide(count, 1.0).delay_seconds == seconds
    assert RetryPolicy().decide(count, 0.0).delay_seconds == seconds / 2


def test_without_a_delay_the_message_is_left_alone():
    """--no-retry-delay: nothing is asked of SQS."""
    assert RetryPolicy(enabled=False).decide(3, 0.5).delay_seconds is None
