"""Debian trees of test-systemd are removed when no run needs them, and only then."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.machines import tree
from tests.support.waiting import wait_until

LONG_AGO = time.time() - (tree.KEPT_DAYS + 1) * 86400


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    tree.cache().mkdir(parents=True)
    return tree.cache()


def make(name: str, used: float) -> Path:
    path = tree.cache() / name
    (path / "etc").mkdir(parents=True)
    lock = Path(f"{path}.lock")
    lock.touch()
    os.utime(lock, (used, used))
    return path


def test_a_tree_that_nobody_used_for_long_is_removed_and_others_stay(cache: Path) -> None:
    old, young = make("bookworm-old", LONG_AGO), make("server-young", time.time() - 86400)
    unfinished = make("server-killed.new", LONG_AGO)
    Path(f"{unfinished}.lock").rename(cache / "server-killed.lock")
    assert tree.prune() == [old, cache / "server-killed"]
    assert (old.exists(), unfinished.exists(), young.exists()) == (False, False, True)
    assert tree.prune() == []


def test_an_old_tree_that_another_run_uses_stays() -> None:
    old = make("server-old", LONG_AGO)
    with open(f"{old}.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        assert tree.prune() == []
    assert tree.prune() == [old]


USE = """
import sys
from pathlib import Path
from tests.support.machines import tree
with tree._made_once(Path(sys.argv[1])) as new:
    if new is not None:
        (new / "etc").mkdir()
print("there" if new is None else "made", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("there", [False, True])
def test_a_tree_is_in_use_until_the_process_that_took_it_ends(cache: Path, there: bool) -> None:
    path = make("server-1", LONG_AGO) if there else cache / "server-1"
    command = [sys.executable, "-c", USE, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tree.ROOT
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == ("there\n" if there else "made\n")
        lock = Path(f"{path}.lock")
        assert lock.stat().st_mtime > time.time() - 600
        os.utime(lock, (LONG_AGO, LONG_AGO))
        assert tree.prune() == []
        assert (path / "etc").exists()
        with tree._made_once(path) as new:  # A second run of the same tree does not wait for the first.
            assert new is None
        tree._in_use.pop().close()
        os.utime(lock, (LONG_AGO, LONG_AGO))
        run.communicate("")
    wait_until(lambda: tree.prune() == [path])


def test_a_tree_whose_making_failed_is_not_in_use(cache: Path) -> None:
    path = cache / "server-1"
    with pytest.raises(OSError, match="no network"), tree._made_once(path):
        raise OSError("no network")
    os.utime(f"{path}.lock", (LONG_AGO, LONG_AGO))
    assert tree.prune() == [path]
    assert not Path(f"{path}.new").exists()
