"""Where a task of Django is sent, and when it is due, by the OPTIONS of the backend."""

from __future__ import annotations

import pytest

from squids.contrib.django.task_options import TaskOptions, delay

STEPS = {0: "{queue}", 50: "{queue}-urgent", -100: "{queue}-bulk"}


def test_without_options_a_queue_is_called_the_same_in_sqs():
    options = TaskOptions.parse({})
    assert options.queue("mail", 0) == "mail"
    assert options.queues("mail") == ["mail"]


@pytest.mark.parametrize(
    ("priority", "queue"),
    [
        (-100, "mail-bulk"),
        (-1, "mail-bulk"),
        (0, "mail"),
        (49, "mail"),
        (50, "mail-urgent"),
        (100, "mail-urgent"),
    ],
)
def test_a_priority_is_a_queue_by_the_highest_step_that_it_reaches(priority, queue):
    assert TaskOptions.parse({"PRIORITY_QUEUES": STEPS}).queue("mail", priority) == queue


def test_below_all_steps_the_queue_is_the_one_without_priorities():
    options = TaskOptions.parse({"PRIORITY_QUEUES": {10: "urgent"}})
    assert [options.queue("mail", priority) for priority in (-100, 9, 10)] == ["mail", "mail", "urgent"]
    assert options.queues("mail") == ["mail", "urgent"]


@pytest.mark.parametrize(
    ("queue", "urgent"),
    [
        ("mail.fifo", "mail-urgent.fifo"),
        ("https://sqs.eu-west-1.amazonaws.com/123456789012/mail", None),
        (
            "arn:aws:sqs:eu-west-1:123456789012:mail.fifo",
            "arn:aws:sqs:eu-west-1:123456789012:mail-urgent.fifo",
        ),
    ],
)
def test_what_a_step_adds_stands_at_the_end_of_a_queue_s_own_name(queue, urgent):
    options = TaskOptions.parse({"SQS_QUEUES": {"mail & more": queue}, "PRIORITY_QUEUES": STEPS})
    assert options.queue("mail & more", 0) == queue
    assert options.queue("mail & more", 60) == (urgent or f"{queue}-urgent")


@pytest.mark.parametrize(
    ("name", "queue"),
    [("{queue}-urgent.fifo", "mail-urgent.fifo"), ("all.fifo", "all.fifo"), ("standard", "standard")],
)
def test_the_queue_for_a_priority_of_a_fifo_queue_may_be_named_as_it_is(name, queue):
    options = TaskOptions.parse({"PRIORITY_QUEUES": {50: name}})
    assert options.queue("mail.fifo", 50) == queue


def test_a_name_that_sqs_cannot_have_needs_another():
    with pytest.raises(ValueError, match=r'"mail & more" is not a queue.* SQS_QUEUES'):
        TaskOptions.parse({}).queue("mail & more", 0)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"PRIORITY_QUEUE": {}}, 'unknown option "PRIORITY_QUEUE"; did you mean "PRIORITY_QUEUES"'),
        ({"SQS_QUEUES": ["mail"]}, "SQS_QUEUES takes names, URLs or ARNs by name"),
        ({"SQS_QUEUES": {"mail": "a b"}}, '"a b" is not a queue'),
        ({"PRIORITY_QUEUES": ["urgent"]}, "takes queues by their lowest priority"),
        ({"PRIORITY_QUEUES": {101: "urgent"}}, "101 is not a priority"),
        ({"PRIORITY_QUEUES": {"50": "urgent"}}, "'50' is not a priority"),
        ({"PRIORITY_QUEUES": {50: None}}, "None is not the name of a queue"),
        ({"MESSAGE_GROUP_ID": 7}, "MESSAGE_GROUP_ID takes a text, or a function"),
        ({"MESSAGE_GROUP_ID": ""}, "MESSAGE_GROUP_ID takes a text, or a function"),
    ],
)
def test_what_is_wrong_with_an_option_is_said(options, says):
    with pytest.raises(ValueError, match=says):
        TaskOptions.parse(options)


def test_a_group_is_a_text_or_made_for_each_call():
    by_customer = TaskOptions.parse(
        {"MESSAGE_GROUP_ID": lambda task, args, kwargs: f"{task}-{kwargs['customer']}"}
    )
    assert by_customer.group_of("task", [], {"customer": 7}) == "task-7"
    assert TaskOptions.parse({"MESSAGE_GROUP_ID": "all"}).group_of("task", [], {}) == "all"
    assert TaskOptions.parse({}).group_of("task", [], {}) is None


@pytest.mark.parametrize(
    ("due", "seconds"), [(None, 0), (990.0, 0), (1000.0, 0), (1000.2, 1), (1060.0, 60), (1900.0, 900)]
)
def test_a_delay_is_in_whole_seconds_and_never_too_short(due, seconds):
    assert delay(due, 1000.0) == seconds


def test_a_delay_that_sqs_does_not_have_is_refused():
    with pytest.raises(ValueError, match=r"901 seconds from now.* at most 900"):
        delay(1900.5, 1000.0)
