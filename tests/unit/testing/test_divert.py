"""What is sent is taken before it leaves the process."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ParamValidationError

import squids
from squids.queues import QueueRef
from squids.sqs import SQS
from squids.testing.divert import diverted


class Taken:
    """What came, and the id that is answered, if not the one that was made for it."""

    def __init__(self, answer: str | None = None) -> None:
        self.all: list[tuple[squids.App, str, str]] = []
        self.answer = answer

    def take(
        self, app: squids.App, ref: QueueRef, message_id: str, body: str, options: Mapping[str, Any]
    ) -> str:
        self.all.append((app, ref.name, body))
        return self.answer or message_id


def sender(name: str, queue: str = "emails") -> tuple[squids.App, Any]:
    app = squids.App(name)
    return app, app.task(queue)(lambda: None)


def test_of_the_named_apps_all_is_taken_and_of_others_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    (mine, task), (_, other) = sender("mine"), sender("other")
    left: list[str] = []
    monkeypatch.setattr(
        SQS, "send", lambda self, ref, body, options: left.append(ref.name) or {"MessageId": "real"}
    )
    taken = Taken()
    with diverted((mine,), taken.take):
        answer = task.send()
        other.send()
    task.send()
    assert [(app, queue) for app, queue, _ in taken.all] == [(mine, "emails")]
    assert left == ["emails", "emails"]
    assert answer["MD5OfMessageBody"] == hashlib.md5(taken.all[0][2].encode()).hexdigest()


def test_with_none_named_all_apps_are_meant_those_that_are_made_later_too() -> None:
    taken = Taken()
    with diverted((), taken.take):
        app, task = sender("made within")
        task.send()
    assert [one for one, *_ in taken.all] == [app]


def test_a_fifo_queue_answers_a_repetition_as_it_did_the_first_time() -> None:
    """By the same number: SQS takes it, and delivers it once."""
    app, task = sender("mine", "emails.fifo")
    taken = Taken()
    with diverted((app,), taken.take):
        first, second = (_send(task) for _ in range(2))
        assert int(second["SequenceNumber"]) > int(first["SequenceNumber"])
        taken.answer = first["MessageId"]
        again = _send(task)
    assert (again["MessageId"], again["SequenceNumber"]) == (first["MessageId"], first["SequenceNumber"])


def _send(task: Any) -> dict[str, Any]:
    answer: dict[str, Any] = task.send_job(options={"MessageGroupId": "g"})
    return answer


def test_what_would_be_refused_is_not_taken() -> None:
    app, task = sender("mine")
    taken = Taken()
    with diverted((app,), taken.take), pytest.raises(ParamValidationError):
        task.send_job(options={"DelaySeconds": "5"})
    assert taken.all == []


def test_what_is_no_app_is_told_at_once() -> None:
    with (
        pytest.raises(TypeError, match=r"expected a squids\.App, not 'mine'"),
        diverted(("mine",), Taken().take),
    ):
        raise AssertionError("it was taken")


def test_afterwards_all_is_as_it_was_whatever_was_raised() -> None:
    app, _ = sender("mine")
    before = SQS.send
    for apps in ((), (app,)):
        with pytest.raises(LookupError), diverted(apps, Taken().take):
            raise LookupError
    assert SQS.send is before
    assert "send" not in vars(app.sqs)
