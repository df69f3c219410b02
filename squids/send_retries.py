"""Decides whether a send is tried again, and when. Pure.

Retried is what another try may mend: no answer, a connection that failed or broke, throttling, a failure of
the server. A message may have arrived although its answer did not, so that a retry may send it twice; so does
every client of SQS, botocore included. FIFO queues drop the second one by its deduplication id.
"""

from __future__ import annotations

from squids.backoff import exponential
from squids.sqs_errors import TroubleKind

CONNECT_TIMEOUT = 3.0
"""Seconds to wait for a connection."""

READ_TIMEOUT = 10.0
"""Seconds to wait for each part of an answer."""

TRIES = 5
"""The most tries. It is what botocore did before 1.44, and no other client shares a quota with it."""

FIRST_DELAY, LONGEST_DELAY = 0.1, 2.0
"""Seconds between two tries: the first, which is doubled each time, and the longest. Half of it is random."""

RETRIED = frozenset({TroubleKind.UNREACHABLE, TroubleKind.TIMEOUT, TroubleKind.THROTTLED, TroubleKind.SERVER})


def delay_before(next_try: int, kind: TroubleKind, left: float, jitter: float, *, tries: int) -> float | None:
    """Return the seconds before try number `next_try`, counted from 1; None if there is to be none.

    `left`: seconds until the send must have ended. `jitter`: a random number between 0 and 1.
    """
    if kind not in RETRIED or next_try > tries:
        return None
    delay = exponential(next_try - 1, first=FIRST_DELAY, maximum=LONGEST_DELAY, jitter=jitter)
    return delay if delay < left else None
