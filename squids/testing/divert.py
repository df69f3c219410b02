"""Intercepts what apps send before it reaches SQS."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock

from squids.app import App, living
from squids.queues import QueueRef
from squids.sqs import SQS
from squids.testing.aws_rules import check_send

Take = Callable[[App, QueueRef, str, str, Mapping[str, Any]], str]
"""Takes the app, the queue, a new message id, the body and the options; returns the id for the response.

That is the id of an earlier message if a FIFO queue treats this one as a duplicate.
"""

_numbers = itertools.count(18_849_496_460_467_696_128)


@contextmanager
def diverted(apps: tuple[App, ...], take: Take) -> Iterator[None]:
    """Pass what these apps send to `take`; without arguments, all apps. Raises what SQS would raise."""
    sequence: dict[str, str] = {}

    def send(sqs: SQS, ref: QueueRef, body: str, options: Mapping[str, Any]) -> dict[str, Any]:
        check_send(ref, body, options)
        app = next(app for app in living if app.sqs is sqs)
        message_id = take(app, ref, str(uuid.uuid4()), body, options)
        response: dict[str, Any] = {
            "MessageId": message_id,
            "MD5OfMessageBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
        }
        if ref.is_fifo:
            response["SequenceNumber"] = sequence.setdefault(message_id, str(next(_numbers)))
        return response

    for app in apps:
        if not isinstance(app, App):
            raise TypeError(f"expected a squids.App, not {app!r}")
    with contextlib.ExitStack() as stack:
        if not apps:
            stack.enter_context(mock.patch.object(SQS, "send", send))
        for app in apps:
            stack.enter_context(mock.patch.object(app.sqs, "send", send.__get__(app.sqs)))
        yield
