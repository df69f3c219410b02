"""Names, URLs and ARNs of queues."""

import pytest

from squids.queues import QueueRef


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("emails", QueueRef("emails")),
        ("orders.fifo", QueueRef("orders.fifo")),
        (
            "https://sqs.eu-west-1.amazonaws.com/123456789012/emails",
            QueueRef(
                "emails",
                "https://sqs.eu-west-1.amazonaws.com/123456789012/emails",
                "eu-west-1",
                "123456789012",
            ),
        ),
        (
            "https://eu-west-1.queue.amazonaws.com/123456789012/emails",
            QueueRef(
                "emails",
                "https://eu-west-1.queue.amazonaws.com/123456789012/emails",
                "eu-west-1",
                "123456789012",
            ),
        ),
        (
            "http://127.0.0.1:4566/000000000000/emails",
            QueueRef(
                "emails",
                "http://127.0.0.1:4566/000000000000/emails",
                None,
                "000000000000",
                "http://127.0.0.1:4566",
            ),
        ),
        ("arn:aws:sqs:us-east-2:111122223333:q", QueueRef("q", None, "us-east-2", "111122223333")),
        ("arn:aws-cn:sqs:cn-north-1:111122223333:q", QueueRef("q", None, "cn-north-1", "111122223333")),
    ],
)
def test_a_queue_is_read(text, expected):
    """Region and account come with a URL or an ARN; a URL that is not AWS's is its own endpoint."""
    assert QueueRef.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a b",
        "x" * 81,
        "a.fifo.fifo",
        "x" * 80 + ".fifo",
        "https://host",
        "arn:aws:sqs:::q",
        "arn:aws:s3:r:1:q",
    ],
)
def test_what_is_no_queue_says_so(text):
    """A queue that cannot exist is refused before anybody is asked."""
    with pytest.raises(ValueError, match="is not a queue"):
        QueueRef.parse(text)


def test_fifo_is_known_by_the_name():
    """SQS requires the suffix."""
    assert QueueRef.parse("a.fifo").is_fifo
    assert not QueueRef.parse("a").is_fifo
