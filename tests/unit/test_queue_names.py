"""Which queue of SQS a name in the code means, by a prefix, a table, and the environment."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

import squids
import squids.testing
from squids.errors import ConfigurationError
from squids.queue_names import PREFIX, TABLE, QueueNames

URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/emails"
ARN = "arn:aws:sqs:eu-west-1:123456789012:emails"


@pytest.mark.parametrize(
    ("queue", "expected"),
    [
        ("emails", "staging-emails"),
        ("orders.fifo", "staging-orders.fifo"),
        ("staging-emails", "staging-emails"),
        (URL, URL),
        (ARN, ARN),
        ("films", "movies"),
        ("archive", ARN),
    ],
)
def test_a_name_gets_the_prefix_once_and_what_the_table_has_is_taken_as_it_is(queue, expected):
    names = QueueNames("staging-", {"films": "movies", "archive": ARN})
    assert names.of_sqs(queue) == expected
    assert names.ref(queue) == squids.queues.QueueRef.parse(expected)


@given(st.from_regex(r"[A-Za-z0-9_-]{0,20}", fullmatch=True), st.from_regex(r"[a-z-]{1,20}", fullmatch=True))
def test_what_a_name_means_means_itself(prefix: str, queue: str) -> None:
    """A command may say the name in SQS to an app that has the prefix itself."""
    names = QueueNames(prefix)
    assert names.of_sqs(names.of_sqs(queue)) == names.of_sqs(queue)


@pytest.mark.parametrize(
    ("prefix", "table", "says"),
    [
        ("staging/", {}, '"staging/" cannot begin the name of a queue'),
        ("p" * 80, {}, "cannot begin the name of a queue"),
        ("", {"emails": "e mails"}, '"e mails" is not a queue\'s name'),
        ("", {"orders.fifo": "orders"}, '"orders.fifo" is a FIFO queue, and "orders" is not'),
        ("", {"orders": "orders.fifo"}, '"orders.fifo" is a FIFO queue, and "orders" is not'),
    ],
)
def test_what_cannot_be_is_refused(prefix, table, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        QueueNames(prefix, table)
    with pytest.raises(ConfigurationError, match=re.escape(says)):
        squids.App("shop", queue_prefix=prefix, queue_names=table)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"queue_names": {"emails": None}}, "not None for 'emails'"),
        ({"queue_names": ["emails"]}, "as a dictionary"),
        ({"queue_prefix": 7}, "queue_prefix is a string, not 7"),
    ],
)
def test_an_argument_of_another_type_is_named(arguments, says):
    """As from `os.environ.get` for a variable that is not set."""
    with pytest.raises(TypeError, match=says):
        squids.App("shop", **arguments)


def test_the_environment_has_the_prefix_and_the_table_of_an_app_that_has_none(monkeypatch):
    monkeypatch.setenv(PREFIX, "staging-")
    monkeypatch.setenv(TABLE, '{"films": "movies"}')
    app = squids.App("shop")
    assert [app.queue_ref(queue).name for queue in ("emails", "films")] == ["staging-emails", "movies"]


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({PREFIX: "production-"}, 'queue_prefix is "staging-", but SQUIDS_QUEUE_PREFIX is "production-"'),
        ({TABLE: '{"films": "others"}'}, 'queue_names has "movies" for "films", but SQUIDS_QUEUE_NAMES has "others"'),
        ({TABLE: f'{{"films": "{ARN}"}}'}, "remove one"),
        ({TABLE: "films"}, "SQUIDS_QUEUE_NAMES is not a JSON object"),
        ({TABLE: "[1]"}, "SQUIDS_QUEUE_NAMES is not a JSON object"),
        ({TABLE: '{"films": 1}'}, "SQUIDS_QUEUE_NAMES is not a JSON object"),
    ],
)  # fmt: skip
def test_an_app_and_an_environment_that_contradict_each_other_are_a_mistake(variables, says):
    """One of the two would send to the queue of another stage."""
    with pytest.raises(ConfigurationError, match=re.escape(says)):
        QueueNames.of("staging-", {"films": "movies"}, variables)


def test_they_may_say_the_same():
    variables = {PREFIX: "staging-", TABLE: '{"films": "emails"}'}
    names = QueueNames.of("staging-", {"films": URL}, variables)
    assert (names.of_sqs("films"), names.of_sqs("x")) == (URL, "staging-x")


def test_all_that_an_app_does_with_a_queue_follows():
    """Sending, its consumer, and the outbox of a test, which knows a queue by either name."""
    app = squids.App("shop", queue_prefix="staging-")

    @app.task("emails")
    def mail(to: str) -> None: ...

    seen = []
    app.pre_send(lambda queue, body: seen.append(queue))
    with squids.testing.outbox(app) as box:
        mail.send("ada")
        mail.send_job(["ada"], queue="others")
    assert [sent.queue for sent in box] == ["staging-emails", "staging-others"]
    assert box["emails"] == box["staging-emails"] == box.sent[:1]
    assert seen == ["emails", "others"]
    assert app.create_consumer("emails").queue.name == "staging-emails"


def test_a_name_that_the_prefix_makes_too_long_is_refused_where_the_task_is_defined():
    app = squids.App("shop", queue_prefix="staging-")
    with pytest.raises(ValueError, match=r'"staging-e+" is not a queue'):
        app.task("e" * 75)(lambda: None)
