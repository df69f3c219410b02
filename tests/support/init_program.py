"""A program that may be PID 1 of a container: `python -m tests.support.init_program WHAT [ARGUMENT]`."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from squids.process.pid1 import run_as_init_if_pid1
from tests.support.waiting import wait_until


def say(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


def zombies() -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
                    found.append(int(entry.name))
            except OSError:
                pass  # It was reaped meanwhile.
    return found


def leave_a_stranger() -> int:
    """Have a grandchild whose parent is gone, and which ends; its pid."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        stranger = os.fork()
        if stranger:
            os.write(write, str(stranger).encode())
        os._exit(0 if stranger else 5)
    os.waitpid(child, 0)
    return int(os.read(read, 20))


def main(argv: list[str]) -> int:
    outer = os.getpid()
    run_as_init_if_pid1()
    what = argv[1]
    if what == "leave":
        return int(argv[2])
    if what == "die":
        os.kill(os.getpid(), int(argv[2]))
    if what == "who":
        say(outer=outer, pid=os.getpid(), parent=os.getppid(), group=os.getpgid(0))
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        say(blocked=[int(number) for number in blocked])
    if what == "strangers":
        strangers = [leave_a_stranger() for _ in range(3)]
        wait_until(
            lambda: not any(Path(f"/proc/{pid}").exists() for pid in strangers), what="they are reaped"
        )
        try:
            say(mine=os.waitpid(-1, os.WNOHANG))
        except ChildProcessError:
            say(zombies=zombies())
    if what == "wait":
        got: list[int] = []
        wanted = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
        for each in wanted:
            signal.signal(each, lambda number, _: got.append(number))
        signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
        say(ready=True)
        while True:
            number = signal.sigwait(wanted)
            say(signal=number)
            if number == signal.SIGTERM:
                return 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
