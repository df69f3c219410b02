"""A consumer's calls, rehearsed: through all of botocore and its HTTP client, but over no network.

What is made at a first call is then made before a fork, and what the interpreter learns of code by running
it (types' caches, specialized instructions) is learnt: forked processes share it, instead of each writing its
own copy. `sqs` says which calls, and how often.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.awsrequest import AWSHTTPConnection, AWSHTTPConnectionPool, AWSResponse
from botocore.httpsession import URLLib3Session

NOWHERE = "http://127.0.0.1:1/"
"""Where a call would go if urllib3 one day made its connections in another way: to nobody."""

ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 2\r\n"
    b"Connection: keep-alive\r\nx-amzn-RequestId: 00000000-0000-0000-0000-000000000000\r\n"
    b"Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n{}"
)
"""Of any call of SQS's JSON protocol: it went well, and there is nothing to tell."""


@contextmanager
def without_network(client: Any) -> Iterator[None]:
    """Have this client's calls answered by this very process: nothing leaves it.

    botocore's before-send event is where a request can be answered.
    https://docs.aws.amazon.com/botocore/latest/topics/events.html
    """
    session: Any = URLLib3Session()

    def answer(request: Any, **_: object) -> Any:
        request.url = NOWHERE
        try:
            session._manager.pool_classes_by_scheme = {"http": _Pool}
            return session.send(request)
        except Exception:  # Then what it warms is what is before it.
            headers: Any = {"content-type": "application/x-amz-json-1.0"}
            return AWSResponse(NOWHERE, 200, headers, _EmptyAnswer())

    client.meta.events.register("before-send.sqs", answer, unique_id="squids-rehearsal")
    try:
        yield
    finally:
        client.meta.events.unregister("before-send.sqs", unique_id="squids-rehearsal")
        session.close()


class _Connection(AWSHTTPConnection):
    """Its server is this process, which answers once it is asked for the answer: with one thread, all that
    is read must have been written."""

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
    """The body of an answer that came over no socket."""

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield b"{}"
