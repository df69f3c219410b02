"""Whatever answers in SQS's place, what enters is of the right type and range, or one exception says what is wrong."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squids.sqs_answers import BadAnswer, read_attributes, read_batch, read_messages, read_url
from squids.sqs_limits import MAX_BATCH

GOOD = {"MessageId": "m", "ReceiptHandle": "r", "Body": "{}"}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4)
    ),
    max_leaves=12,
)
NAMES = st.sampled_from(
    "Messages MessageId ReceiptHandle Body Attributes SentTimestamp ApproximateReceiveCount MessageGroupId "
    "Successful Failed Id Code Message QueueUrl ResponseMetadata HTTPHeaders content-type".split()
)
SHAPED = st.recursive(
    JSON | st.sampled_from(["0", "1", "99", "-1", "10" * 9, "text/html"]),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(NAMES, children, max_size=5),
    max_leaves=25,
)


@given(SHAPED)
def test_any_answer_to_a_receive_is_messages_or_a_bad_answer(answer):
    try:
        messages = read_messages(answer)
    except BadAnswer:
        return
    assert len(messages) <= MAX_BATCH
    for message in messages:
        assert message.message_id
        assert message.receipt
        assert isinstance(message.body, str)
        assert message.receive_count >= 1
        assert message.sent_at is None or 0 <= message.sent_at < 253_402_300_800
        assert message.group is None or isinstance(message.group, str)


@given(SHAPED)
def test_any_answer_to_a_batch_is_of_its_entries_or_a_bad_answer(answer):
    try:
        read = read_batch(answer, ["a", "b"])
    except BadAnswer:
        return
    assert {*read.done, *(failure.id for failure in read.failed)} <= {"a", "b"}


@given(SHAPED)
def test_any_answer_about_a_queue_is_read_or_a_bad_answer(answer):
    for read in (read_url, read_attributes):
        with contextlib.suppress(BadAnswer):
            read(answer)


@pytest.mark.parametrize("sent", ["1000000000000000000", "-5", "1e3", "²", "", None, 5, ["1"]])
def test_a_time_out_of_range_is_no_time(sent):
    message = {**GOOD, "Attributes": {"SentTimestamp": sent, "ApproximateReceiveCount": "3"}}
    (read,) = read_messages({"Messages": [message]})
    assert read.sent_at is None
    assert read.receive_count == 3


@pytest.mark.parametrize("count", ["0", "-1", "many", "9" * 30, None])
def test_a_count_out_of_range_is_one(count):
    (read,) = read_messages({"Messages": [{**GOOD, "Attributes": {"ApproximateReceiveCount": count}}]})
    assert read.receive_count == 1


def test_a_page_for_people_is_not_taken_for_an_empty_answer():
    page = {"ResponseMetadata": {"HTTPHeaders": {"content-type": "text/html; charset=utf-8"}}}
    with pytest.raises(BadAnswer, match="HTML"):
        read_messages(page)
    with pytest.raises(BadAnswer, match="HTML"):
        read_batch(page, ["a"])


def test_entries_that_were_not_asked_for_are_passed_over():
    answer = {
        "Successful": [{"Id": "0"}, {"Id": "7"}, {"Id": "-1"}, {}],
        "Failed": [{"Id": "1", "Code": "X"}],
    }
    read = read_batch(answer, ["a", "b"])
    assert read.done == ["a"]
    assert [(failure.id, failure.code) for failure in read.failed] == [("b", "X")]
