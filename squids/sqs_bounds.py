"""Limits the size of responses: botocore reads a whole body into memory, however long it is.

The largest genuine response is a receive of ten messages of 1 MiB each, some of whose characters take several
bytes as JSON. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from urllib3.exceptions import ProtocolError
from urllib3.exceptions import ReadTimeoutError as URLLib3ReadTimeoutError

from squids.sqs_answers import BadAnswer

MAX_BYTES = 64 * 1024 * 1024
"""The limit of one response."""


def bound_answers(client: Any) -> None:
    """Make a botocore client raise BadAnswer for responses over MAX_BYTES."""
    endpoint = client._endpoint
    endpoint.http_session = _BoundedSession(endpoint.http_session)


class _BoundedSession:
    """Wraps a client's HTTP session and reads the response bodies itself."""

    def __init__(self, session: Any) -> None:
        self.wrapped = session

    def send(self, request: Any) -> Any:
        """Send the request and read the response. Raises what botocore's session raises, and BadAnswer."""
        request.stream_output = True  # The wrapped session then does not read the body.
        response = self.wrapped.send(request)
        try:
            response._content = _read(response.raw)
        except URLLib3ReadTimeoutError as error:
            raise ReadTimeoutError(endpoint_url=request.url, error=error) from error
        except ProtocolError as error:
            raise ConnectionClosedError(error=error, request=request, endpoint_url=request.url) from error
        return response

    def close(self) -> None:
        self.wrapped.close()


def _read(raw: Any) -> bytes:
    chunks, size = [], 0
    for chunk in raw.stream():
        size += len(chunk)
        if size > MAX_BYTES:
            raw.close()  # The rest is still on its way: the connection cannot be reused.
            raise BadAnswer(f"the answer has more than {MAX_BYTES // 2**20} MiB; SQS gives far less")
        chunks.append(chunk)
    return b"".join(chunks)
