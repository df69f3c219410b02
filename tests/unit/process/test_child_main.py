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

from squids.process.frames import FrameReader
from squids.process.interpreter import interpreter_of
from squids.process.protocol import Degraded, from_wire

ENTRIES = """
import os, signal, sys
from squids.errors import AppNotFound, SquidsError

def preload(args):
    if args.get("error") == "hopeless":
        raise AppNotFound("there is no such app")
    if args.get("error") == "import":
        raise SquidsError("its module raised")
    if args.get("error") == "traceback":
        raise SquidsError("Traceback:\\n  shop.py\\nValueError: no database")
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


def child(directory: Path, *, heard: bool = True, **changes: Any) -> tuple[int, str, bytes]:
    """One with such a specification: its exit status, its standard error, and what it sent."""
    (directory / "entries.py").write_text(ENTRIES)
    ours, theirs = socket.socketpair()
    if not heard:
        ours.shutdown(socket.SHUT_RDWR)
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
        sent = file.read()
    os.close(read)
    os.close(write)
    return done.returncode, done.stderr, sent


def test_it_imports_for_itself_and_runs_its_entry(tmp_path):
    """No signal is ignored or blocked as it was where it was started, and no program of a task inherits its
    descriptors."""
    status, errors, sent = child(tmp_path, preload_args={"app": "shop:app"})
    assert (status, errors) == (7, "")
    told = json.loads(sent)
    assert told.pop("path")[0] == str(tmp_path)
    assert told == {
        "preloaded": {"preloaded": {"app": "shop:app"}},
        "args": {"queue": "emails"},
        "inheritable": [False, False],
        "terminate": True,
        "blocked": [],
    }


def reason_in(sent: bytes) -> str | None:
    """Why it cannot start, as it told its owner."""
    (frame,) = FrameReader().feed(sent)
    told = from_wire(frame)
    assert isinstance(told, Degraded)
    return told.reason


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({"preload_args": {"error": "hopeless"}}, 78, "there is no such app"),
        ({"preload_args": {"error": "import"}}, 1, "its module raised"),
        ({"limits": {"nofile": -7}}, 1, ""),
    ],
    ids=["hopeless", "import", "limits"],
)
def test_why_it_cannot_start_is_told_to_its_owner(tmp_path, changes, status, reason):
    """Who says it once, however often it is tried. The status says whether a restart may help."""
    got, errors, sent = child(tmp_path, **changes)
    assert (got, errors) == (status, "")
    assert reason in (reason_in(sent) or "")


def test_a_traceback_of_its_import_is_printed_and_its_last_line_told(tmp_path):
    _, errors, sent = child(tmp_path, preload_args={"error": "traceback"})
    assert errors == "squids: emails worker 1 cannot start: Traceback:\n  shop.py\nValueError: no database\n"
    assert reason_in(sent) == "ValueError: no database"


def test_why_it_cannot_start_is_printed_if_nobody_hears_it(tmp_path):
    """With its name, in one line."""
    status, errors, _ = child(tmp_path, heard=False, preload_args={"error": "import"})
    assert (status, errors) == (1, "squids: emails worker 1 cannot start: its module raised\n")
