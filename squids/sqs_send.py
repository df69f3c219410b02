"""A client for sending: its time-outs where the user's Config sets none, and its tries.

A web request that sends must not hang because SQS does: botocore alone waits 60 seconds for each of several
tries. `send_retries` decides what is tried again; `sqs_deadline` bounds the time of all tries together.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from botocore.config import Config
from botocore.exceptions import ReadTimeoutError

from squids.send_retries import CONNECT_TIMEOUT, READ_TIMEOUT, RETRIED, TRIES, delay_before
from squids.sqs_deadline import TimeIsUp, bound_credentials, bound_time, seconds_left
from squids.sqs_errors import classify

T = TypeVar("T")


def settings_of(session: Any, users: Config | None) -> tuple[Config, int]:
    """Return what to add to the user's Config, and the number of tries that are ours.

    Where the user chose retries, in the Config, the environment or the AWS config file, those are botocore's
    to do, and ours is one try. `session`: botocore's; its look-ups of credentials get the same time-outs.
    """
    given = getattr(users, "_user_provided_options", {})
    timeouts = {"connect_timeout": CONNECT_TIMEOUT, "read_timeout": READ_TIMEOUT}
    session.set_default_client_config(Config(**timeouts))  # type: ignore[arg-type]
    bound_credentials(session)
    ours: dict[str, Any] = {name: value for name, value in timeouts.items() if name not in given}
    if "retries" in given or _chose_retries(session):
        return Config(**ours), 1
    return Config(**ours, retries={"total_max_attempts": 1, "mode": "standard"}), TRIES


def _chose_retries(session: Any) -> bool:
    if os.environ.get("AWS_MAX_ATTEMPTS") or os.environ.get("AWS_RETRY_MODE"):
        return True
    of_profile = session.get_scoped_config()
    return "max_attempts" in of_profile or "retry_mode" in of_profile


@dataclass(frozen=True, slots=True)
class Sender:
    """A client, and how often a call of it is tried."""

    client: Any
    tries: int

    @classmethod
    def of(cls, client: Any, tries: int) -> Sender:
        """Make one of a new client, which then keeps deadlines."""
        bound_time(client)
        return cls(client, tries)

    def call(self, call: Callable[[Any], T]) -> T:
        """Call, and try again as `send_retries` says. Raises what the last try raised, with a note."""
        number = 1
        while True:
            try:
                return call(self.client)
            except TimeIsUp as error:
                late = ReadTimeoutError(endpoint_url=self.client.meta.endpoint_url, error=error)
                late.add_note(f"{_gave_up(number)}: {TIME_IS_UP}")
                raise late from error
            except Exception as error:
                left = seconds_left()
                number += 1
                kind = classify(error).kind
                delay = delay_before(
                    number,
                    kind,
                    float("inf") if left is None else left,
                    random.random(),
                    tries=self.tries,
                )
                if delay is None:
                    if (kind in RETRIED and number <= self.tries) or left == 0.0:
                        error.add_note(f"{_gave_up(number - 1)}: {TIME_IS_UP}")
                    elif number > 2:
                        error.add_note(_gave_up(number - 1))
                    raise
                time.sleep(delay)


TIME_IS_UP = "the App's send_timeout is over"


def _gave_up(tries: int) -> str:
    return f"squids: gave up after {'1 try' if tries == 1 else f'{tries} tries'}"
