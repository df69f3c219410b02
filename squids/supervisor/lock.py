"""One supervisor for each configuration file: flock(2) decides, not a pid that may be somebody else's.

The lock's file says who holds it, and where its socket is.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import stat
from dataclasses import dataclass
from typing import Any

from squids.supervisor.control_protocol import lock_path, read_holder


class Locked(Exception):
    """Somebody else holds it."""

    def __init__(self, holder: dict[str, Any]) -> None:
        pid, since = holder.get("pid", "unknown"), holder.get("started_at", "unknown")
        super().__init__(f"another supervisor of this file runs: pid {pid}, started at {since}")


@dataclass(slots=True)
class Lock:
    """Held until the process ends. No child inherits it."""

    path: str
    descriptor: int

    @classmethod
    def take(cls, config: str) -> Lock:
        """Locked if another supervisor holds it; OSError if it cannot be made."""
        path = lock_path(config)
        _make_private(os.path.dirname(path))
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise Locked(read_holder(config)) from None
        return cls(path, descriptor)

    def tell(self, **holder: Any) -> None:
        """Say who holds it. OSError, with the path, if it cannot be written."""
        data = json.dumps(holder).encode()
        try:
            os.ftruncate(self.descriptor, 0)
            if os.pwrite(self.descriptor, data, 0) < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise OSError(error.errno, error.strerror, self.path) from None


def _make_private(directory: str) -> None:
    """The directory, and one above it, if need be; in a place that all may write to, nobody else's."""
    for path in (os.path.dirname(directory), directory):
        try:
            os.mkdir(path, 0o755 if path.startswith("/run/squids") else 0o700)
        except FileExistsError:
            pass
    status = os.lstat(os.path.dirname(directory))
    if directory.startswith("/tmp/") and (status.st_uid != os.getuid() or not stat.S_ISDIR(status.st_mode)):
        raise PermissionError(13, "belongs to somebody else", os.path.dirname(directory))
