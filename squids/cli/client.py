"""The client of a running supervisor: one request, and its answers as they come."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Generator, Iterator
from importlib import import_module
from typing import Any

from squids.bounds import NAME, cut
from squids.supervisor.control.peer import peer_of
from squids.supervisor.control.place import Untrusted, check_file, check_socket, owner_of_place
from squids.supervisor.control.protocol import default_socket, holder_beside, holder_path, request, socket_of
from squids.supervisor.control.verbs import REMOTE
from squids.supervisor.plain_files import user_name

MAX_ANSWER = 16 * 1024 * 1024
"""The limit of one answer: ten times the status of 2,000 queues."""

PROMPT_SECONDS = 30.0
"""How long a verb that is answered at once may take."""

TIMEOUT_MARGIN = 10.0
"""Seconds beyond a `timeout`, which the supervisor itself respects unless it hangs."""


VERSIONS_MAY_DIFFER = "the versions of the supervisor and of this command may differ"


class Unreachable(Exception):
    """The supervisor of this file is not running, or gives no answer that this command understands."""


def ask(config: str, verb: str, queues: list[str], **options: Any) -> Generator[dict[str, Any], None, None]:
    """Yield the answers; the last is the end. With `follow`, the supervisor's exit is an end, too.

    Raises Unreachable if there is no answer, or it breaks off or is malformed; Untrusted if another user
    could be in the supervisor's place.
    """
    seconds = _time_limit(verb, options)
    path = default_socket(config)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with connection:
        connection.settimeout(seconds)
        try:
            path, trusted = _verified_socket(config)
            connection.connect(path)
            _check_peer(connection, path, trusted)
            connection.sendall(request(verb, queues, **options))
        except OSError as error:
            reason = error.strerror or str(error)
            if not os.path.exists(config) and not os.path.lexists(path):
                raise Unreachable(f"{config} does not exist, and no supervisor of it runs") from None
            raise Unreachable(f"no supervisor of {config} answers at {path}: {reason}") from None
        try:
            for line in _lines(connection, seconds):
                answer = _checked(json.loads(line))
                yield answer
                if answer.get("type") == "end":
                    return
        except TimeoutError:
            raise Unreachable(f"the supervisor of {config} did not answer within {seconds:g} s") from None
        except (ValueError, RecursionError) as error:
            problem = f"an answer of the supervisor of {config} cannot be understood ({error})"
            raise Unreachable(f"{problem}; {VERSIONS_MAY_DIFFER}") from None
        except ConnectionError:
            pass  # It exited, possibly in the middle of a line.
        if options.get("follow"):
            yield {"type": "end", "code": 0, "error": None}
            return
    raise Unreachable(f"the supervisor of {config} ended before it answered")


def unexpected(answer: dict[str, Any]) -> str:
    """Word the error for an answer of a type that this command does not know, or not in this place."""
    kind = cut(answer["type"], NAME)
    return f"the supervisor gave an answer of the unexpected type {kind!a}; {VERSIONS_MAY_DIFFER}"


def _time_limit(verb: str, options: dict[str, Any]) -> float | None:
    """Return the seconds that the whole answer may take, or None for no limit."""
    timeout = options.get("timeout")
    if timeout is not None:
        return float(timeout) + TIMEOUT_MARGIN
    return PROMPT_SECONDS if REMOTE[verb].prompt and not options.get("follow") else None


def _lines(connection: socket.socket, seconds_left: float | None) -> Iterator[bytes]:
    """Yield complete lines.

    Raises TimeoutError after waiting for `seconds_left` in total, not counting the time in which the caller
    shows them, such as in a pager. Raises ValueError if a line is too long.
    """
    parts: list[bytes] = []  # Of the line that is not complete yet.
    size = 0
    while True:
        began = time.monotonic()
        connection.settimeout(seconds_left)
        chunk = connection.recv(65536)
        if seconds_left is not None:
            seconds_left -= time.monotonic() - began
            if seconds_left <= 0:
                raise TimeoutError
        if not chunk:
            return
        *ends, rest = chunk.split(b"\n")
        for line in ends:
            yield b"".join([*parts, line])
            parts, size = [], 0
        parts.append(rest)
        size += len(rest)
        if size > MAX_ANSWER:
            raise ValueError("a line is too long")


def _checked(answer: Any) -> dict[str, Any]:
    """Check the fields of an answer that are used outside `render`. Raises ValueError if one is invalid."""
    if not isinstance(answer, dict) or not isinstance(answer.get("type"), str):
        raise ValueError("not an answer")
    for name, types in _FIELDS.get(answer["type"], {}).items():
        if type(answer.get(name)) not in types:
            raise ValueError(f"the {name} of {answer['type']} is a {type(answer.get(name)).__name__}")
    if answer["type"] == "end" and not 0 <= answer["code"] <= 255:
        raise ValueError("the code is not an exit code")
    return answer


_FIELDS: dict[str, dict[str, tuple[type, ...]]] = {
    "end": {"code": (int,), "error": (str, type(None))},
    "jobs": {"changes": (list,)},
    "line": {"text": (str,), "details": (dict,)},
    "local": {"endpoint": (str, type(None))},
    "states": {"states": (dict,), "wanted": (dict,)},
    "text": {"text": (str,)},
}


def _verified_socket(config: str) -> tuple[str, set[int]]:
    """Return the socket of this file's supervisor, and its acceptable users. Raises Untrusted or OSError."""
    holder = holder_path(config)
    # Only the owner of the place may answer, and not even root: in the place of a service's user, root's
    # socket could belong to another supervisor.
    path = None
    try:
        trusted = {owner_of_place(os.path.dirname(holder))}
    except FileNotFoundError:
        path = _socket_in_file(config)
        if path is None:
            raise
        holder = holder_beside(path)
        trusted = {owner_of_place(os.path.dirname(holder))}
    check_file(holder, trusted)
    path = path or socket_of(config)
    check_socket(path, trusted)
    return path, trusted


def _socket_in_file(config: str) -> str | None:
    """Return `supervisor.socket`: where the default place cannot be created, the lock is beside it."""
    try:
        with open(config, "rb") as file:
            text = file.read()
    except OSError:
        return None
    if b"socket" not in text and b"include" not in text:
        return None
    # By its name, and not as other imports: those of the file's reader take longer than most verbs.
    found: str | None = import_module("squids.cli.socket_in_file").socket_in_file(config)
    return found


def _check_peer(connection: socket.socket, path: str, trusted: set[int]) -> None:
    """Check that one of these users listens."""
    peer = peer_of(connection)
    if peer is not None and peer.uid not in trusted:
        raise Untrusted(f"{user_name(peer.uid)} listens at {path}, and is not trusted")
