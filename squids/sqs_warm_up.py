"""Warms up a consumer's calls: through botocore and its HTTP client, but not over a network.

What the first call makes then exists before a fork, and what the interpreter learns by running code (type
caches, specialized instructions) is shared by forked processes instead of written by each. `sqs` decides
which calls are made, and how often.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.awsrequest import AWSHTTPConnection, AWSHTTPConnectionPool, AWSResponse
from botocore.httpsession import URLLib3Session

NOWHERE = "http://127.0.0.1:1/"
"""An address where nothing listens, in case urllib3 ever connects in another way."""

ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 2\r\n"
    b"Connection: keep-alive\r\nx-amzn-RequestId: 00000000-0000-0000-0000-000000000000\r\n"
    b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n{}"
)
"""A successful, empty response to any call of SQS's JSON protocol."""


@contextmanager
def without_network(client: Any) -> Iterator[None]:
    """Let this process answer the client's calls, so that nothing is sent over a network.

    botocore's before-send event can return a response.
    https://docs.aws.amazon.com/botocore/latest/topics/events.html
    """
    session: Any = URLLib3Session()

    def answer(request: Any, **_: object) -> Any:
        request.url = NOWHERE
        try:
            session._manager.pool_classes_by_scheme = {"http": _Pool}
            return session.send(request)
        except Exception:  # What runs before the HTTP client is still warmed up.
            headers: Any = {"content-type": "application/x-amz-json-1.0"}
            return AWSResponse(NOWHERE, 200, headers, _EmptyAnswer())

    client.meta.events.register("before-send.sqs", answer, unique_id="squids-warm-up")
    try:
        yield
    finally:
        client.meta.events.unregister("before-send.sqs", unique_id="squids-warm-up")
        session.close()


class _Connection(AWSHTTPConnection):
    """A connection to this process, which replies when the response is read.

    There is one thread, so the whole request must be written by then.
    """

    theirs: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        ours, self.theirs = socket.socketpair()
        self.theirs.settimeout(1.0)
        return ours

    def getresponse(self, *args: Any, **kwargs: Any) -> Any:
        if self.theirs is not None:
            self.theirs.recv(65536)
            self.theirs.sendall(ANSWER)
        return super().getresponse(*args, **kwargs)

    def close(self) -> None:
        super().close()
        if self.theirs is not None:
            self.theirs.close()
            self.theirs = None


class _Pool(AWSHTTPConnectionPool):
    ConnectionCls = _Connection


class _EmptyAnswer:
    """The body of a response that came over no socket."""

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield b"{}"
