"""A program that is a forking zygote: `python -m tests.support.zygote_host DESCRIPTOR [TROUBLE]`.

In a process of its own, since a process with threads, as pytest's may be, must not fork.
"""

from __future__ import annotations

import errno
import os
import socket
import sys

from squids.process import child
from squids.process.child import exit_now
from squids.process.zygote_main import Zygote

forks = 0


def refuse_first_fork() -> None:
    """Have the system refuse the first fork. (Its limit of processes does not bind root.)"""
    fork = os.fork

    def refusing() -> int:
        global forks
        forks += 1
        if forks == 1:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return fork()

    os.fork = refusing


def main(argv: list[str]) -> None:
    trouble = argv[2] if len(argv) > 2 else ""
    if trouble == "fork":
        refuse_first_fork()
    elif trouble == "waitid":
        del os.waitid  # As on macOS before Python 3.13.
    child.set_title("squids: test zygote")
    Zygote(socket.socket(fileno=int(argv[1])), {"preloaded": {"answer": 42}, "by": os.getpid()}, None).serve()
    exit_now(0)


if __name__ == "__main__":
    main(sys.argv)
