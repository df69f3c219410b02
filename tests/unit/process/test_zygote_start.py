"""What a fork server in an interpreter of its own tells its owner before it serves."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import types
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from squids.errors import AppImportFailed, AppNotFound
from squids.process import zygote_start
from squids.process.channel import Channel
from squids.process.figures import ImportedFile, ImportFacts
from squids.process.interpreter import interpreter_of
from squids.process.protocol import PROTOCOL, Frame, Preloaded, PreloadFailed
from tests.support.servers import ROOT

FACTS = ImportFacts(12.0, (ImportedFile("/srv/shop.py", 1, 2),))


def failing(error: Exception):
    def preload(args: dict[str, Any]) -> Any:
        raise error

    return preload


def import_failed() -> AppImportFailed:
    error = AppImportFailed("it raised")
    error.files = ("/srv/shop.py",)
    return error


@pytest.fixture
def entries(monkeypatch) -> types.ModuleType:
    """A module for entry points of the tests."""
    module = types.ModuleType("entries_of_the_tests")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, Channel]]:
    """The fork server's end, and its owner's."""
    ours, theirs = socket.socketpair()
    with ours, closing(Channel(theirs)) as owner:
        yield ours, owner


def preload(entries, pair, answer, protocol: int = PROTOCOL) -> tuple[Any, list[Frame]]:
    """What there is to serve, and what its owner was told."""
    entries.preload = answer
    sock, owner = pair
    spec = {"preload_entry": "entries_of_the_tests:preload", "preload_args": {}, "protocol": protocol}
    return zygote_start._preload(sock, spec), owner.receive()


def test_what_was_imported_is_served_and_told(entries, pair):
    served, told = preload(entries, pair, lambda args: ("the app", "", FACTS))
    assert served == "the app"
    assert told == [Preloaded("", FACTS)]


def test_what_no_fork_may_cross_is_told_and_not_served(entries, pair):
    """Its owner starts another, whose children are fresh interpreters."""
    served, told = preload(entries, pair, lambda args: ("the app", "2 threads", FACTS))
    assert served is None
    assert told == [Preloaded("2 threads", FACTS)]


@pytest.mark.parametrize(
    ("error", "frame"),
    [
        (AppNotFound("no such app"), PreloadFailed(True, "no such app")),
        (import_failed(), PreloadFailed(False, "it raised", ["/srv/shop.py"])),
        (MemoryError(), PreloadFailed(False, "out of memory while the app was imported")),
    ],
    ids=["hopeless", "import", "memory"],
)
def test_an_import_that_failed_is_told_and_not_served(entries, pair, error, frame):
    """Whether a restart may help, and which files to watch for a mend."""
    served, told = preload(entries, pair, failing(error))
    assert served is None
    assert told == [frame]


def test_a_fault_of_ours_is_no_failed_import(entries, pair):
    """It is a traceback, for a report of the bug."""
    with pytest.raises(ZeroDivisionError):
        preload(entries, pair, lambda args: 1 / 0)


def test_another_version_imports_nothing(entries, pair):
    """Neither side would understand the other. A restart of this process alone does not heal it."""
    served, told = preload(entries, pair, pytest.fail, protocol=PROTOCOL + 1)
    assert served is None
    ((hopeless, text, files),) = [(frame.hopeless, frame.text, frame.files) for frame in told]
    assert hopeless and files == []
    assert sys.executable in text and "another version of squids" in text


def started(theirs: socket.socket, **changes: Any) -> subprocess.Popen[bytes]:
    """A fork server as a process, at the other end of an owner's socket, which is closed here."""
    spec = {
        "path": [str(ROOT), *sys.path],
        "title": "squids: test zygote",
        "preload": True,
        "preload_entry": "tests.support.zygote_entries:preload",
        "preload_args": {},
        "descriptor": theirs.fileno(),
        "owner": os.getpid(),
        "protocol": PROTOCOL,
        "records": None,
        **changes,
    }
    with theirs, interpreter_of("squids.process.zygote_start", spec) as (command, inherited):
        return subprocess.Popen(
            command, pass_fds=[theirs.fileno(), inherited], stdin=subprocess.DEVNULL, process_group=0
        )


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux's kernel tells")
@pytest.mark.parametrize(
    ("owner", "imports"), [(os.getpid(), True), (os.getppid(), False)], ids=["alive", "dead"]
)
def test_one_whose_owner_died_meanwhile_leaves_before_it_imports(tmp_path, owner, imports):
    """Nobody would end it, and an import can take long or hang."""
    source = (
        f"open({str(tmp_path / 'imported')!r}, 'w').close()\ndef preload(args):\n    return 1, 'no', None\n"
    )
    (tmp_path / "shop_of_the_test.py").write_text(source)
    ours, theirs = socket.socketpair()
    with (
        ours,
        started(
            theirs, owner=owner, path=[*sys.path, str(tmp_path)], preload_entry="shop_of_the_test:preload"
        ) as process,
    ):
        assert process.wait(60) == (0 if imports else 1)
    assert (tmp_path / "imported").exists() is imports


@pytest.mark.parametrize(("protocol", "told"), [(PROTOCOL, [Preloaded("", None)]), (None, [])])
def test_one_that_imports_nothing_serves_at_once(protocol, told):
    """Its children import for themselves. It says so to a supervisor, and leaves with its owner."""
    ours, theirs = socket.socketpair()
    with started(theirs, preload=False, protocol=protocol, preload_entry="no.such:entry") as process:
        owner = Channel(ours)
        owner.end_sending()
        assert process.wait(60) == 0
        assert owner.receive_all() == told
        owner.close()


def test_its_children_are_not_misled_by_its_directory(tmp_path: Path):
    """A path that it was given is the one that it imports by."""
    (tmp_path / "queue.py").write_text("raise SystemExit('the wrong queue')")
    (tmp_path / "shop_of_the_test.py").write_text(
        "def preload(args):\n    return 1, 'cannot be forked', None"
    )
    ours, theirs = socket.socketpair()
    with started(
        theirs, path=[*sys.path, str(tmp_path)], preload_entry="shop_of_the_test:preload"
    ) as process:
        assert process.wait(60) == 0
        owner = Channel(ours)
        assert owner.receive_all() == [Preloaded("cannot be forked", None)]
        owner.close()
