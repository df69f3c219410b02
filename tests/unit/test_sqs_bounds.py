"""A body is read as botocore reads it, but for its bound."""

from types import SimpleNamespace

import pytest
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from urllib3.exceptions import ProtocolError
from urllib3.exceptions import ReadTimeoutError as URLLib3ReadTimeoutError

from squids import sqs_bounds
from squids.sqs_answers import BadAnswer
from squids.sqs_errors import TroubleKind, classify

REQUEST = SimpleNamespace(url="http://127.0.0.1:1/")


class Body:
    """What urllib3 gives: chunks, and perhaps an error."""

    def __init__(self, *chunks, error=None):
        self.chunks = chunks
        self.error = error
        self.closed = False

    def stream(self):
        yield from self.chunks
        if self.error is not None:
            raise self.error

    def close(self):
        self.closed = True


def send(body):
    """The answer of a client whose session leaves this body unread."""
    response = SimpleNamespace(raw=body, _content=None)
    session = SimpleNamespace(send=lambda request: response if request.stream_output else None)
    client = SimpleNamespace(_endpoint=SimpleNamespace(http_session=session))
    sqs_bounds.bound_answers(client)
    return client._endpoint.http_session.send(REQUEST)


def test_a_body_is_whole():
    assert send(Body(b"{", b"}"))._content == b"{}"
    assert send(Body())._content == b""


def test_a_body_beyond_the_bound_is_no_answer(monkeypatch):
    monkeypatch.setattr(sqs_bounds, "MAX_BYTES", 3)
    assert send(Body(b"12", b"3"))._content == b"123"
    body = Body(b"12", b"34")
    with pytest.raises(BadAnswer):
        send(body)
    assert body.closed, "its connection is not used again"


@pytest.mark.parametrize(
    ("theirs", "ours", "kind"),
    [
        (ProtocolError("cut"), ConnectionClosedError, TroubleKind.UNREACHABLE),
        (URLLib3ReadTimeoutError(None, "/", "late"), ReadTimeoutError, TroubleKind.TIMEOUT),
    ],
)
def test_an_error_within_a_body_is_botocores(theirs, ours, kind):
    with pytest.raises(ours) as caught:
        send(Body(b"{", error=theirs))
    assert classify(caught.value).kind is kind
