"""A child in a fresh interpreter: what it makes of its specification."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from squids.process.interpreter import interpreter_of

ENTRIES = """
import os, signal, sys
from squids.errors import AppNotFound, SquidsError

def preload(args):
    if args.get("error") == "hopeless":
        raise AppNotFound("there is no such app")
    if args.get("error") == "import":
        raise SquidsError("its module raised")
    return {"preloaded": args}

def run(preloaded, channel, descriptors, args):
    import json
    blocked = [int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])]
    answer = {
        "preloaded": preloaded,
        "args": args,
        "inheritable": [os.get_inheritable(number) for number in (channel.fileno(), *descriptors)],
        "terminate": signal.getsignal(signal.SIGTERM) is signal.SIG_DFL,
        "blocked": blocked,
        "path": sys.path,
    }
    channel.sendall(json.dumps(answer).encode())
    return 7
"""


@contextmanager
def as_in_the_background() -> Iterator[None]:
    """What is started meanwhile inherits an ignored signal and a blocked one."""
    handler = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def child(directory: Path, **changes: Any) -> tuple[int, str, dict[str, Any]]:
    """One with such a specification: its exit status, its standard error, and what it told."""
    (directory / "entries.py").write_text(ENTRIES)
    ours, theirs = socket.socketpair()
    read, write = os.pipe()
    spec = {
        "path": [str(directory), *sys.path],
        "title": "squids: emails worker 1",
        "preload_entry": "entries:preload",
        "preload_args": {},
        "entry": "entries:run",
        "args": {"queue": "emails"},
        "descriptors": [theirs.fileno(), read],
        "nice": 0,
        "limits": {},
        "records": None,
        **changes,
    }

    with (
        interpreter_of("squids.process.child_main", spec) as (command, inherited),
        as_in_the_background(),
    ):
        done = subprocess.run(
            command,
            pass_fds=[theirs.fileno(), read, inherited],
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    theirs.close()
    with ours, ours.makefile("rb") as file:
        told = file.read()
    os.close(read)
    os.close(write)
    return done.returncode, done.stderr, json.loads(told) if told else {}


def test_it_imports_for_itself_and_runs_its_entry(tmp_path):
    """No signal is ignored or blocked as it was where it was started, and no program of a task inherits its
    descriptors."""
    status, errors, told = child(tmp_path, preload_args={"app": "shop:app"})
    assert (status, errors) == (7, "")
    assert told.pop("path")[0] == str(tmp_path)
    assert told == {
        "preloaded": {"preloaded": {"app": "shop:app"}},
        "args": {"queue": "emails"},
        "inheritable": [False, False],
        "terminate": True,
        "blocked": [],
    }


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({"preload_args": {"error": "hopeless"}}, 78, "there is no such app"),
        ({"preload_args": {"error": "import"}}, 1, "its module raised"),
        ({"limits": {"nofile": -7}}, 1, ""),
    ],
    ids=["hopeless", "import", "limits"],
)
def test_why_it_cannot_start_is_one_line(tmp_path, changes, status, reason):
    """With its name, and no traceback of ours. The status says whether a restart may help."""
    got, errors, told = child(tmp_path, **changes)
    assert got == status
    assert errors.startswith("squids: emails worker 1 cannot start: ")
    assert reason in errors and errors.count("\n") == 1
    assert told == {}
