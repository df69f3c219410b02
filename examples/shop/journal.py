"""What the shop's tasks did, one JSON object a line, in the file that SHOP_JOURNAL names.

It lets the demo prove that nothing was lost, and in which worker each thing ran. Without SHOP_JOURNAL
nothing is written.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def entry(queue: str, key: str) -> Iterator[None]:
    """Write that the work `key` of `queue` starts here, and then that it is done or failed."""
    _write("start", queue, key)
    try:
        yield
    except BaseException:
        _write("failed", queue, key)
        raise
    _write("done", queue, key)


def _write(event: str, queue: str, key: str) -> None:
    path = os.environ.get("SHOP_JOURNAL")
    if not path:
        return
    line = json.dumps({"at": time.time(), "event": event, "queue": queue, "key": key, "pid": os.getpid()})
    # One write in append mode: lines of several workers never mix.
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode() + b"\n")
    finally:
        os.close(descriptor)
