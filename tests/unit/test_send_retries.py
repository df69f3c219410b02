"""When a send is tried again."""

import pytest

from squids.send_retries import LONGEST_DELAY, RETRIED, TRIES, delay_before
from squids.sqs_errors import TroubleKind

AWAY = TroubleKind.UNREACHABLE


@pytest.mark.parametrize("kind", list(TroubleKind))
def test_only_what_another_try_may_mend_is_tried_again(kind: TroubleKind) -> None:
    """Not what only a person mends: it would be said later."""
    again = delay_before(2, kind, 30.0, 1.0, tries=TRIES) is not None
    assert again is (kind in RETRIED)
    assert not {TroubleKind.CONFIG, TroubleKind.CREDENTIALS, TroubleKind.DENIED, TroubleKind.TLS} & RETRIED


def test_delays_grow_to_a_limit_and_end_with_the_tries() -> None:
    delays = [delay_before(number, AWAY, 30.0, 1.0, tries=9) for number in range(2, 11)]
    assert delays == [0.1, 0.2, 0.4, 0.8, 1.6, LONGEST_DELAY, LONGEST_DELAY, LONGEST_DELAY, None]


def test_no_try_begins_after_the_time_is_up() -> None:
    assert delay_before(2, AWAY, 0.1, 1.0, tries=5) is None
    assert delay_before(2, AWAY, 0.2, 1.0, tries=5) == 0.1
