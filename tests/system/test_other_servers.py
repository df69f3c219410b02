"""The main flows against fauxqs, by `AWS_ENDPOINT_URL_SQS` alone: nothing here depends on moto's peculiarities."""

from __future__ import annotations

import json

import pytest

from tests.support.processes import call
from tests.support.servers import CREDENTIALS
from tests.support.waiting import wait_until


@pytest.fixture
def queue(fauxqs):
    """`tests`, with a dead-letter queue that takes what failed twice, and a FIFO queue; both empty."""

    def make(name: str, **attributes: str) -> str:
        url = str(fauxqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])
        fauxqs.purge_queue(QueueUrl=url)
        return url

    dead = make("tests-dead")
    arn = fauxqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
    urls = {"tests": make("tests", RedrivePolicy=policy, VisibilityTimeout="2"), "tests-dead": dead}
    urls["tests.fifo"] = make("tests.fifo", FifoQueue="true")
    yield urls
    for url in urls.values():
        fauxqs.delete_queue(QueueUrl=url)


def count(fauxqs, url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = fauxqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(map(int, found.values()))


def test_a_supervisors_day(fauxqs, fauxqs_url, queue, supervisor):
    """Sent, run, deleted; failed, tried again, dead; FIFO in order; new code by a save; a drain that gives back."""
    up = supervisor(fauxqs_url)
    up.environment.pop("PYTHONDONTWRITEBYTECODE", None)
    defaults = {"retry_delay": 0.1, "retry_max_delay": 0.2}
    up.write({"tests": {"workers": 2}, "tests.fifo": {}}, defaults=defaults, reload={"delay": "50ms"})
    up.start("--reload")
    assert up.verb("wait", "--timeout", "30").returncode == 0, up.text

    for name in "abc":
        fauxqs.send_message(QueueUrl=queue["tests"], MessageBody=call("work", name))
    for name in "xyz":
        fauxqs.send_message(
            QueueUrl=queue["tests.fifo"],
            MessageBody=call("work", name),
            MessageGroupId="g",
            MessageDeduplicationId=name,
        )
    wait_until(lambda: sorted(up.journal.words("done")) == [*"abcxyz"], what=lambda: up.text)
    assert [name for name in up.journal.words("done") if name in "xyz"] == [*"xyz"]

    fauxqs.send_message(QueueUrl=queue["tests"], MessageBody=call("fail", "f"))
    wait_until(lambda: count(fauxqs, queue["tests-dead"]) == 1, what=lambda: up.text)
    assert up.journal.words("start").count("f") == 2

    source = (up.directory / "shop.py").read_text()
    up.app(source.replace('note("done", name)', 'note("finished", name)'))
    up.wait_for("hand_over", 2)
    up.wait_for("stopping", 2)
    fauxqs.send_message(QueueUrl=queue["tests"], MessageBody=call("work", "anew"))
    wait_until(lambda: up.journal.words("finished") == ["anew"], what=lambda: up.text)
    assert up.stop() == 0
    assert count(fauxqs, queue["tests"]) == 0
    up.nothing_left()


def test_squids_itself_and_the_library(fauxqs, fauxqs_url, queue, squids_process, tmp_path, monkeypatch):
    """`send` and the in-process consumer here, the command there."""
    import squids

    for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL_SQS": fauxqs_url}.items():
        monkeypatch.setenv(name, value)
    app = squids.App("here")
    ran = []

    @app.task("tests")
    def note(name):
        ran.append(name)

    note.send("one")
    assert app.create_consumer("tests").consume({"WaitTimeSeconds": 1}).done == 1
    assert ran == ["one"]
    fauxqs.send_message(QueueUrl=queue["tests"], MessageBody=call("work", "there"))
    process = squids_process(fauxqs_url).start("--exit-when-empty")
    assert process.wait() == 0
    assert process.journal.words("done") == ["there"]


def test_check_and_send_speak_to_it_too(fauxqs_url, queue, supervisor):
    """`check --aws` sees what is there and what is not."""
    up = supervisor(fauxqs_url).write({"tests": {}})
    sent = up.verb("send", "work", "--args", '["a"]')
    assert sent.returncode == 0, sent.stderr
    done = up.verb("check", "--aws")
    assert done.returncode == 78
    assert "maxReceiveCount is 2: 3 or more survive a restart or two" in done.stdout
    assert "does not exist" not in done.stdout
