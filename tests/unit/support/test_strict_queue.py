"""The rules of a queue in the strict model, one by one, with a clock that the test sets."""

from __future__ import annotations

import pytest

from tests.support.strict_sqs.checks import SQSError
from tests.support.strict_sqs.queue import Message, Queue


class Clock:
    """A time that stands until the test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def passes(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def queue(clock):
    return Queue("q", visibility=30, clock=clock)


@pytest.fixture
def fifo(clock):
    return Queue("q.fifo", visibility=30, clock=clock)


def fill(queue, *bodies, group=None):
    """Send bodies such as "a1" and "b2": on FIFO queues the letter is the group."""
    return [queue.send(Message(body, group or body[0])) for body in bodies]


def bodies(messages):
    return [message.body for message in messages]


def refusal(call, *arguments):
    with pytest.raises(SQSError) as caught:
        call(*arguments)
    return caught.value


def test_a_received_message_is_hidden_for_the_visibility_that_was_asked_for(queue, clock):
    """A receive hides a message for its own timeout, or for the queue's if it names none."""
    fill(queue, "a")
    (message,) = queue.take(1, 5)
    clock.passes(4.9)
    assert queue.take(1, None) == []
    clock.passes(0.1)
    assert queue.take(1, None) == [message]
    clock.passes(29.9)
    assert queue.take(1, None) == []


def test_each_receive_gives_a_new_receipt_and_counts(queue, clock):
    """The same message received again has another receipt, and a receive count one higher."""
    (message,) = fill(queue, "a")
    seen = set()
    for count in (1, 2, 3):
        queue.take(1, 1)
        assert message.receive_count == count
        seen.add(message.receipt)
        clock.passes(1)
    assert len(seen) == 3


def test_an_old_receipt_deletes_nothing_and_says_so_to_nobody(queue, clock):
    """On standard queues a delete with an old receipt succeeds, and the message stays."""
    (message,) = fill(queue, "a")
    queue.take(1, 1)
    old = message.receipt
    clock.passes(1)
    queue.take(1, 30)
    queue.delete(old)
    assert queue.messages == [message]
    queue.delete(message.receipt)
    assert queue.messages == []
    queue.delete(message.receipt)


def test_the_newest_receipt_deletes_even_when_the_visibility_ran_out(queue, clock):
    """On standard queues a message that nobody else received can still be deleted."""
    (message,) = fill(queue, "a")
    queue.take(1, 1)
    clock.passes(100)
    queue.delete(message.receipt)
    assert queue.messages == []


def test_on_fifo_a_delete_after_the_visibility_ran_out_is_an_error(fifo, clock):
    """On FIFO queues the receipt expires with the visibility."""
    (message,) = fill(fifo, "a")
    fifo.take(1, 5)
    clock.passes(5)
    assert "The receipt handle has expired" in refusal(fifo.delete, message.receipt).message
    assert fifo.messages == [message]


def test_a_receipt_that_was_never_given_is_an_error(queue):
    """A handle of no receive is told apart from an old one."""
    assert refusal(queue.delete, "mine").shape == "ReceiptHandleIsInvalid"
    assert refusal(queue.change_visibility, "mine", 5).shape == "ReceiptHandleIsInvalid"


def test_a_change_of_visibility_counts_from_the_call(queue, clock):
    """Ten seconds asked for after five are fifteen in all; 0 shows the message at once."""
    (message,) = fill(queue, "a")
    queue.take(1, 30)
    clock.passes(5)
    queue.change_visibility(message.receipt, 10)
    clock.passes(9.9)
    assert queue.in_flight() == [message]
    queue.change_visibility(message.receipt, 0)
    assert queue.visible() == [message]


def test_a_change_is_not_remembered_for_the_next_receive(queue, clock):
    """The next receive hides a message for the queue's timeout again."""
    (message,) = fill(queue, "a")
    queue.take(1, None)
    queue.change_visibility(message.receipt, 500)
    clock.passes(500)
    queue.take(1, None)
    clock.passes(30)
    assert queue.visible() == [message]


def test_what_is_not_in_flight_cannot_be_changed(queue, clock):
    """A visible, a re-received and a deleted message each refuse a change by the first receipt."""
    (message,) = fill(queue, "a")
    queue.take(1, 1)
    first = message.receipt
    clock.passes(1)
    assert refusal(queue.change_visibility, first, 5).shape == "MessageNotInflight"
    queue.take(1, 30)
    assert "not available for visibility timeout change" in refusal(queue.change_visibility, first, 5).message
    queue.delete(message.receipt)
    assert "Message does not exist" in refusal(queue.change_visibility, message.receipt, 5).message


def test_twelve_hours_are_counted_from_the_receive_and_more_is_an_error(queue, clock):
    """A request beyond what is left is refused whole, so 43,200 itself fails once any time has passed."""
    (message,) = fill(queue, "a")
    queue.take(1, 30)
    clock.passes(0.01)
    assert "beyond the limit" in refusal(queue.change_visibility, message.receipt, 43_200).message
    queue.change_visibility(message.receipt, 43_199)
    clock.passes(43_000)
    assert "beyond the limit" in refusal(queue.change_visibility, message.receipt, 200).message
    queue.change_visibility(message.receipt, 199)


def test_it_moves_to_the_dead_letter_queue_at_the_next_receive(queue, clock):
    """Not when the count is reached, nor when it becomes visible, but when a receive would exceed the count."""
    dead = Queue("dead", clock=clock)
    queue.max_receive_count, queue.dead_letter = 2, dead
    (message,) = fill(queue, "a")
    for _ in range(2):
        assert queue.take(1, 1) == [message]
        clock.passes(1)
    assert queue.messages == [message]
    assert queue.take(1, 1) == []
    assert dead.messages == [message]
    assert [event.action for event in queue.events][-1] == "Redrive"


def test_a_delay_hides_a_message_that_nobody_received(queue, clock):
    """A delayed message is neither visible nor in flight."""
    queue.send(Message("a"), 10)
    assert (len(queue.visible()), len(queue.in_flight()), len(queue.delayed())) == (0, 0, 1)
    clock.passes(10)
    assert len(queue.take(1, None)) == 1


def test_a_receive_brings_many_of_one_group_in_order(fifo):
    """A batch has as many of a group as there are, in their order, and may mix groups."""
    fill(fifo, "a1", "a2", "b1", "a3")
    assert bodies(fifo.take(10, None)) == ["a1", "a2", "b1", "a3"]


def test_a_group_is_locked_while_one_of_it_is_in_flight(fifo):
    """Nothing more of a group comes while one is in flight; other groups come."""
    (first, *_) = fill(fifo, "a1", "a2", "b1")
    assert fifo.take(1, None) == [first]
    assert bodies(fifo.take(10, None)) == ["b1"]
    assert fifo.take(10, None) == []
    fifo.delete(first.receipt)
    assert bodies(fifo.take(10, None)) == ["a2"]


def test_a_group_comes_up_to_its_first_invisible_one(fifo):
    """When an early one was given back and a later one was not, the early one comes alone."""
    fill(fifo, "a1", "a2", "a3")
    first, second, third = fifo.take(10, None)
    fifo.change_visibility(first.receipt, 0)
    fifo.change_visibility(third.receipt, 0)
    assert fifo.take(10, None) == [first]
    fifo.change_visibility(second.receipt, 0)
    assert fifo.take(10, None) == []


def test_an_attempt_id_gives_the_same_messages_and_receipts_again(fifo, clock):
    """The same id repeats the receive, and sets the visibility anew; another id gets nothing."""
    fill(fifo, "a1", "a2")
    first = fifo.take(10, 30, "id")
    receipts = [message.receipt for message in first]
    clock.passes(20)
    assert fifo.take(10, 30, "other") == []
    assert fifo.take(10, 30, "id") == first
    assert [message.receipt for message in first] == receipts
    assert [message.receive_count for message in first] == [1, 1]
    clock.passes(20)
    assert len(fifo.in_flight()) == 2


@pytest.mark.parametrize("change", ["delete", "visibility", "five minutes", "lapsed"])
def test_an_attempt_id_is_void_once_something_changed(fifo, clock, change):
    """A delete, a change of visibility, five minutes or a lapsed visibility end what an attempt id is good for."""
    fill(fifo, "a1", "b1")
    given = fifo.take(10, 1000, "id")
    if change == "delete":
        fifo.delete(given[0].receipt)
    elif change == "visibility":
        fifo.change_visibility(given[0].receipt, 1000)
    elif change == "five minutes":
        clock.passes(300)
    else:
        clock.passes(1000)
    again = fifo.take(10, 1000, "id")
    assert again == ([] if change != "lapsed" else given)
    assert [message.receive_count for message in again] == [2] * len(again)


def test_an_id_of_a_send_is_remembered_for_five_minutes(fifo, clock):
    """A repeated send is accepted and not delivered, also after the first was received and deleted."""
    first = fifo.send(Message("a", "g", "one"))
    fifo.take(1, None)
    fifo.delete(first.receipt)
    assert fifo.send(Message("b", "g", "one")) is first
    assert fifo.messages == []
    clock.passes(300)
    assert fifo.send(Message("b", "g", "one")).body == "b"
    assert len(fifo.messages) == 1


def test_content_deduplication_is_of_the_body_alone(clock):
    """Two messages of one body and different groups are one."""
    queue = Queue("q.fifo", content_deduplication=True, clock=clock)
    first = queue.send(Message("same", "a"))
    assert queue.send(Message("same", "b")) is first
    assert queue.send(Message("other", "a")) is not first


def test_a_failed_message_of_a_group_is_redriven_and_lets_the_next_one_pass(fifo, clock):
    """A dead-letter queue breaks the order: what stood behind comes in the same receive."""
    fifo.max_receive_count, fifo.dead_letter = 1, Queue("dead.fifo", clock=clock)
    first, _ = fill(fifo, "a1", "a2")
    fifo.take(1, 1)
    clock.passes(1)
    assert bodies(fifo.take(10, None)) == ["a2"]
    assert fifo.dead_letter.messages == [first]
