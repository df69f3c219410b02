"""What a process of ours imports before it forks: the app, and boto3 with SQS's service model.

Importing is what costs; forking is cheap. What must not cross a fork is threads and
connections: an app that starts some at import is found here, and started the other way, in a
fresh interpreter for each process.
"""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from squids.loading import load_app

if TYPE_CHECKING:
    from squids.app import App


def load(args: dict[str, Any]) -> App:
    """Import the app from `directory` and warm what its processes share."""
    directory = str(args.get("directory") or os.getcwd())
    if directory not in sys.path:
        sys.path.insert(0, directory)
    app = load_app(str(args["app"]))
    app.sqs.warm()
    return app


@dataclass(frozen=True, slots=True)
class Unforkable:
    """What the app left behind at import that no fork may cross."""

    threads: tuple[str, ...]
    sockets: int

    def __bool__(self) -> bool:
        return bool(self.threads or self.sockets)

    def __str__(self) -> str:
        parts = []
        if self.threads:
            parts.append(f"threads ({', '.join(self.threads)})")
        if self.sockets:
            parts.append(f"{self.sockets} open socket{'s' if self.sockets > 1 else ''}")
        return " and ".join(parts)


def sockets_open() -> frozenset[str]:
    """The sockets this process has open, where the system tells (Linux)."""
    found = set()
    try:
        descriptors = os.listdir("/proc/self/fd")
    except OSError:
        return frozenset()
    for descriptor in descriptors:
        try:
            target = os.readlink(f"/proc/self/fd/{descriptor}")
        except OSError:
            continue  # The descriptor of the listing itself.
        if target.startswith("socket:"):
            found.add(target)
    return frozenset(found)


def unforkable_since(sockets_before: frozenset[str]) -> Unforkable:
    """What of threads and sockets is here now and was not before the import."""
    threads = tuple(thread.name for thread in threading.enumerate() if thread is not threading.main_thread())
    return Unforkable(threads, len(sockets_open() - sockets_before))
