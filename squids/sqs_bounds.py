"""Bounds how much of an answer is read: botocore reads a whole body into memory, however long it is.

The largest true answer is a receive of ten messages of 1 MiB each, some of whose characters take several
bytes as JSON. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from urllib3.exceptions import ProtocolError
from urllib3.exceptions import ReadTimeoutError as URLLib3ReadTimeoutError

from squids.sqs_answers import BadAnswer

MOST_BYTES = 64 * 1024 * 1024
"""Of one answer."""


def bound_answers(client: Any) -> None:
    """Have a client of botocore fail with BadAnswer once an answer has more than MOST_BYTES bytes."""
    endpoint = client._endpoint
    endpoint.http_session = _BoundedSession(endpoint.http_session)


class _BoundedSession:
    """The HTTP session of a client, which reads the bodies of its answers here."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def send(self, request: Any) -> Any:
        """Send, and read the answer. It raises what botocore's session raises, and BadAnswer."""
        request.stream_output = True  # The session leaves the body to who asks for it.
        response = self._session.send(request)
        try:
            response._content = _read(response.raw)
        except URLLib3ReadTimeoutError as error:
            raise ReadTimeoutError(endpoint_url=request.url, error=error) from error
        except ProtocolError as error:
            raise ConnectionClosedError(error=error, request=request, endpoint_url=request.url) from error
        return response

    def close(self) -> None:
        self._session.close()


def _read(raw: Any) -> bytes:
    chunks, size = [], 0
    for chunk in raw.stream():
        size += len(chunk)
        if size > MOST_BYTES:
            raw.close()  # The rest of it is still on its way: the connection is of no use any more.
            raise BadAnswer(f"the answer has more than {MOST_BYTES // 2**20} MiB; SQS gives far less")
        chunks.append(chunk)
    return b"".join(chunks)
