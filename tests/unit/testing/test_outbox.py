"""Sends that are recorded, and run when the test says so."""

from __future__ import annotations

import hashlib

import pytest

import squids
import squids.testing


@pytest.fixture
def app():
    return squids.App("outbox")


@pytest.fixture
def box(app):
    with squids.testing.outbox(app) as box:
        yield box


def test_sends_are_recorded_and_not_run(app, box):
    @app.task("emails")
    def work(to, order=1):
        raise AssertionError("not yet")

    work.send("ada", order=2)
    work.send_job(args=["bob"], options={"DelaySeconds": 5}, queue="slow")
    (sent,) = box["emails"]
    assert (sent.task, sent.arguments) == (work.name, {"to": "ada", "order": 2})
    assert sent.args[0] == "ada"
    assert box["slow"][0].options == {"DelaySeconds": 5}
    assert box["slow"][0].args == ("bob",)
    assert box["https://sqs.eu-west-1.amazonaws.com/1/emails"] == box["emails"]
    assert box["nothing"] == []
    assert len(box) == 2


def test_run_all_runs_what_was_sent_and_what_that_sends(app, box):
    seen = []

    @app.task("emails")
    def inner(n):
        seen.append(n)

    @app.task("orders")
    def outer(n):
        inner.send(n + 1)

    outer.send(1)
    runs = box.run_all()
    assert seen == [2]
    assert [run.sent.queue for run in runs] == ["orders", "emails"]
    assert box.run_all() == []


def test_what_fails_is_run_again_after_its_delay(app, box):
    start = box.clock.now

    @app.task("emails")
    def work():
        if squids.current_job().receive_count < 3:
            raise ValueError("not yet")

    work.send()
    runs = box.run_all()
    assert [run.receive_count for run in runs] == [1, 2, 3]
    assert [round(run.at - start) for run in runs] == [0, 2, 6]
    assert isinstance(runs[0].error, ValueError)
    assert runs[-1].error is None
    assert not box.dead


def test_what_always_fails_is_dead_and_its_error_is_raised(app):
    @app.task("emails")
    def work():
        raise LookupError("never")

    with squids.testing.outbox(app, max_receives=3) as box:
        work.send()
        with pytest.raises(LookupError, match="never"):
            box.run_all()
        assert box.dead == box["emails"]
        work.send()
        assert len(box.run_all(check=False)) == 3


def test_the_test_turns_the_clock(app, box):
    seen = []

    @app.task("emails")
    def work():
        seen.append(1)

    work.send_job(options={"DelaySeconds": 60})
    assert box.run_due() == []
    box.clock.advance(59)
    assert box.run_due() == []
    box.clock.advance(1)
    assert len(box.run_due()) == 1
    with pytest.raises(ValueError):
        box.clock.advance(-1)


def test_a_fifo_group_waits_behind_what_failed(app, box):
    seen = []

    @app.task("orders.fifo")
    def step(name):
        seen.append(name)
        if name == "a1" and squids.current_job().receive_count == 1:
            raise ValueError("again")

    for name in ("a1", "a2", "b1"):
        step.send_job(args=[name], options={"MessageGroupId": name[0], "MessageDeduplicationId": name})
    box.run_all()
    assert seen == ["a1", "b1", "a1", "a2"]


def test_a_fifo_queue_delivers_a_repeated_message_once(app, box):
    seen = []
    step = app.task("orders.fifo")(lambda name: seen.append(name))
    options = {"MessageGroupId": "g", "MessageDeduplicationId": "paid"}

    first, second = (step.send_job(args=[name], options=options) for name in ("a", "b"))
    other = step.send_job(args=["other"], options=options, queue="returns.fifo")
    assert first["MessageId"] == second["MessageId"] != other["MessageId"]
    assert first["SequenceNumber"] == second["SequenceNumber"] != other["SequenceNumber"]
    assert [(sent.deduplication_id, sent.duplicate) for sent in box["orders.fifo"]] == [
        ("paid", False),
        ("paid", True),
    ]
    assert box["orders.fifo"][1].id == first["MessageId"]
    box.run_all()
    assert seen == ["a", "other"]
    step.send_job(args=["late"], options=options)  # It was run, and is remembered.
    assert box.run_all() == []


def test_a_deduplication_id_is_forgotten_after_five_minutes(app, box):
    seen = []
    step = app.task("orders.fifo")(lambda name: seen.append(name))
    options = {"MessageGroupId": "g", "MessageDeduplicationId": "paid"}

    step.send_job(args=[1], options=options)
    box.clock.advance(299)
    step.send_job(args=[2], options=options)
    box.clock.advance(1)
    step.send_job(args=[3], options=options)
    box.run_all()
    assert seen == [1, 3]
    box.clear()
    step.send_job(args=[4], options=options)
    box.run_all()
    assert seen == [1, 3, 4]


def test_without_a_deduplication_id_the_body_counts(app, box):
    seen = []
    step = app.task("orders.fifo")(lambda name: seen.append(name))

    @app.task("emails")
    def mail(name):
        seen.append(name)

    for name, group in (("a", "g"), ("a", "h"), ("b", "g")):
        step.send_job(args=[name], options={"MessageGroupId": group})
    first = box["orders.fifo"][0]
    assert first.deduplication_id == hashlib.sha256(first.body.encode()).hexdigest()
    for _ in range(2):
        mail.send("c")
    assert [sent.deduplication_id for sent in box["emails"]] == [None, None]
    box.run_all()
    assert sorted(seen) == ["a", "b", "c", "c"]


@pytest.mark.parametrize("delay", [0, 60])
def test_a_task_that_sends_itself_ends_and_is_named(app, box, delay):
    @app.task("emails")
    def tick():
        tick.send_job(options={"DelaySeconds": delay})

    tick.send()
    with pytest.raises(RuntimeError, match=r"more than 1000 messages .* 1001 of them to .*tick: "):
        box.run_all()
    with pytest.raises(RuntimeError, match="more than 5 messages"):
        box.run_all(limit=5)


def test_what_is_due_has_the_same_limit(app, box):
    @app.task("emails")
    def tick():
        tick.send()

    tick.send()
    with pytest.raises(RuntimeError, match="more than 20 messages"):
        box.run_due(limit=20)


def test_what_was_sent_before_does_not_count_against_the_limit(app, box):
    @app.task("emails")
    def inner():
        pass

    @app.task("orders")
    def outer():
        for _ in range(3):
            inner.send()

    for _ in range(10):
        inner.send()
    outer.send()
    assert len(box.run_all(limit=3)) == 14


def test_a_message_that_nobody_can_run_fails_like_any_other(app, box):
    app.pre_send(lambda queue, body: body.update(task="nobody.knows"))

    @app.task("emails")
    def work():
        pass

    work.send()
    assert box["emails"][0].arguments == {}
    with pytest.raises(squids.BadMessage):
        box.run_all()


def test_the_fixture_records_every_app(squids_outbox):
    apps = [squids.App("one"), squids.App("two")]
    tasks = [app.task("emails")(lambda: None) for app in apps]
    for task in tasks:
        task.send()
    assert len(squids_outbox["emails"]) == 2
    squids_outbox.run_all()


def test_the_fixture_gives_queues_new_for_each_test(squids_local):
    app = squids.App("local")
    seen = []

    @app.task("local-emails")
    def work(n):
        seen.append(n)

    squids_local.create("local-emails")
    for n in range(12):
        work.send(n)
    assert squids_local.messages("local-emails") == 12
    assert squids_local.drain(app) == 12
    assert sorted(seen) == list(range(12))
    assert squids_local.messages("local-emails") == 0


def test_what_is_no_queue_or_no_app_is_told(box):
    """A number is no queue's name; a name is no app."""
    with pytest.raises(TypeError, match=r"box\.sent\[0\]"):
        box[0]
    assert "_pending" not in repr(box)
    with pytest.raises(TypeError, match=r"expected a squids\.App, not 'app'"), squids.testing.outbox("app"):
        pass
