"""The protocol of the control socket: one request, then answers, each a line of JSON.

A request: `{"verb": "stop", "queues": ["email*"], "options": {"timeout": 10}}`. Answers have a `type`:
`result` (one per queue), `status`, `line`, `event`, `why`, `text`, `local`, `states`, `jobs`; the last is
`end`, with an exit code. A client that closes its end before that cancels its request.

Imports little, so that the client starts fast.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

MAX_REQUEST = 64 * 1024
"""In bytes."""

MAX_PATH = 107
"""Maximum bytes of a unix socket's path: unix(7)."""

SYSTEM_CONFIG = "/etc/squids"
"""The directory of services' configuration files."""


def without_suffix(config: str) -> str:
    """Return a configuration file's path or name without `.yaml` or `.yml`."""
    return config.removesuffix(".yaml").removesuffix(".yml")


def run_directory(config: str) -> str:
    """Return the directory of a supervisor's socket and lock, derived from its configuration's path.

    `config` is made absolute; symbolic links are not followed.
    """
    path = os.path.abspath(config)
    stem = without_suffix(os.path.basename(path))
    if is_service(path):
        return f"{SYSTEM_RUN}/{stem}"
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:10]
    return os.path.join(private_directory(), f"{stem[:20]}-{digest}")


def is_service(config: str) -> bool:
    """Whether it is the file of a service, whose runtime directory the system creates and removes."""
    return os.path.dirname(os.path.abspath(config)) == SYSTEM_CONFIG


SYSTEM_RUN = "/run/squids" if os.path.isdir("/run") else "/var/run/squids"
"""Where only root can create directories."""


def private_directory() -> str:
    """Return this user's directory for sockets. For root, it is where others cannot create one."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.path.isdir(runtime):
        return os.path.join(runtime, "squids")
    return os.path.join("/tmp", f"squids-{os.geteuid()}") if os.geteuid() else SYSTEM_RUN


def default_socket(config: str) -> str:
    """Return the default path of the control socket."""
    return os.path.join(run_directory(config), "control.sock")


def lock_path(config: str) -> str:
    """Return the path of the lock. Only its owner can open it: who can open a file can lock it."""
    return os.path.join(run_directory(config), "lock")


def holder_path(config: str) -> str:
    """Return the path of the file that says who holds the lock and where the control socket is."""
    return os.path.join(run_directory(config), "supervisor.json")


def lock_beside(socket: str) -> str:
    """Return the path of the lock if the default directory cannot be created, and a socket is set."""
    return f"{socket}.lock"


def holder_beside(socket: str) -> str:
    """Return the path of the file for the holder of `lock_beside`."""
    return f"{socket}.json"


def read_holder(config: str) -> dict[str, Any]:
    """Return `pid`, `started_at` and `socket` of the current or last lock holder, as far as plausible.

    The caller must check who owns the file.
    """
    try:
        descriptor = os.open(holder_path(config), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            stored = json.loads(file.read(64 * 1024))
    except (OSError, ValueError, TypeError, RecursionError):  # Reading a FIFO returns None.
        return {}
    return _believable(stored) if isinstance(stored, dict) else {}


def _believable(stored: dict[str, Any]) -> dict[str, Any]:
    pid, since, path = stored.get("pid"), stored.get("started_at"), stored.get("socket")
    holder: dict[str, Any] = {}
    if isinstance(pid, int) and 1 < pid < 2**31:
        holder["pid"] = pid
    if isinstance(since, str) and len(since) < 40 and since.isprintable():
        holder["started_at"] = since
    if isinstance(path, str) and os.path.isabs(path) and path.isprintable() and len(path) <= MAX_PATH:
        holder["socket"] = path
    return holder


def socket_of(config: str) -> str:
    """Return where the supervisor of this file listens, or would."""
    return str(read_holder(config).get("socket") or default_socket(config))


def encode(message: dict[str, Any]) -> bytes:
    """Encode a line. Lone surrogates, which UTF-8 cannot encode, become question marks."""
    return json.dumps(message, ensure_ascii=False, default=str).encode("utf-8", "replace") + b"\n"


def request(verb: str, queues: list[str], **options: Any) -> bytes:
    return encode({"verb": verb, "queues": queues, "options": options})


def decode_request(line: bytes) -> tuple[str, list[str], dict[str, Any]]:
    """Return verb, queues and options. Raises ValueError if it is not a request."""
    try:
        message = json.loads(line)
        verb, queues, options = message["verb"], message.get("queues", []), message.get("options", {})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("a request is a line of JSON with a verb, queues and options") from error
    if not isinstance(verb, str) or not isinstance(options, dict) or not isinstance(queues, list):
        raise ValueError("verb is text, queues a list, options an object")
    if not all(isinstance(queue, str) for queue in queues):
        raise ValueError("queues are names")
    return verb, queues, options
