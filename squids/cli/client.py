"""The client of a running supervisor: one request, and its answers as they come."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

from squids.supervisor.control_protocol import request, socket_of


class Unreachable(Exception):
    """There is no supervisor of this file, or it may not be spoken to."""


def ask(config: str, verb: str, queues: list[str], **options: Any) -> Iterator[dict[str, Any]]:
    """The answers; the last is the end, but where one follows: that ends with the supervisor.

    Unreachable if there is nobody, or it goes in the middle.
    """
    path = socket_of(config)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with connection:
        try:
            connection.connect(path)
            connection.sendall(request(verb, queues, **options))
        except OSError as error:
            reason = error.strerror or str(error)
            raise Unreachable(f"no supervisor of {config} answers at {path}: {reason}") from None
        try:
            with connection.makefile("rb") as lines:
                for line in lines:
                    answer: dict[str, Any] = json.loads(line)
                    yield answer
                    if answer.get("type") == "end":
                        return
        except (ConnectionError, json.JSONDecodeError):
            pass  # It went, perhaps in the midst of a line.
        if options.get("follow"):
            yield {"type": "end", "code": 0, "error": None}
            return
    raise Unreachable(f"the supervisor of {config} ended before it answered")
