"""A program that forks its zygote as `squids` does, and owns children until standard input ends.

`python -m tests.support.zygote_owner ENTRY GRACE`. It tells pids as a line of JSON.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys

from squids.process.protocol import Spawned
from squids.process.zygote_handle import ZygoteHandle


def main(argv: list[str]) -> int:
    zygote = ZygoteHandle.fork({"from": os.getpid()}, "squids: owner's zygote")
    ours, theirs = socket.socketpair()
    zygote.spawn(
        1,
        f"tests.support.zygote_entries:{argv[1]}",
        {},
        title="squids: owner's child",
        orphan_grace=float(argv[2]),
        descriptors=[theirs.fileno()],
    )
    theirs.close()
    events: list[object] = []
    while not events:
        select.select([zygote.channel], [], [])
        events += zygote.receive()
    (spawned,) = events
    assert isinstance(spawned, Spawned)
    told = json.loads(ours.makefile().readline())
    print(json.dumps({"zygote": zygote.pid, "child": spawned.pid, "told": told}), flush=True)
    sys.stdin.read()
    ours.close()
    zygote.close()
    status = zygote.wait(20)
    print(json.dumps({"zygote_status": status}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
