"""The lock's files: who has them, and that none is left behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from squids.supervisor.control.lock import Lock, Locked
from squids.supervisor.control.protocol import default_socket, holder_path, private_directory, run_directory


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    file = tmp_path / "squids.yaml"
    file.write_text("")
    return str(file)


def take(config: str) -> Lock:
    return Lock.take(config, default_socket(config))


def files_below(directory: str) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in Path(directory).rglob("*"))


def test_a_lock_that_is_released_leaves_one_empty_folder(config: str) -> None:
    lock = take(config)
    lock.record(pid=os.getpid())
    assert len(files_below(private_directory())) == 7  # Two folders, the lock, who holds it, three claims.
    lock.release()
    assert files_below(private_directory()) == []
    assert os.path.isdir(private_directory())
    take(config).release()


def test_what_others_put_there_stays(config: str, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("")
    lock, others = take(config), take(str(other))
    mine = Path(run_directory(config)) / "mine"
    mine.touch()
    lock.release()
    assert mine.exists()
    others.keep()
    with pytest.raises(Locked):
        take(str(other))
    others.release()


def test_a_lock_that_is_refused_leaves_nothing(config: str, tmp_path: Path) -> None:
    """Another name of the same file: it has a folder of its own, and is refused by the file's inode."""
    lock = take(config)
    before = files_below(private_directory())
    link = tmp_path / "link.yaml"
    os.link(config, link)
    with pytest.raises(Locked, match=f"pid {os.getpid()}"):
        take(str(link))
    assert files_below(private_directory()) == before
    lock.release()


def test_a_release_leaves_the_files_of_one_that_was_faster_after_a_sweep(config: str) -> None:
    lock = take(config)
    shutil.rmtree(private_directory())
    faster = take(config)
    faster.record(pid=os.getpid())
    before = files_below(private_directory())
    lock.release()
    assert files_below(private_directory()) == before
    assert os.path.exists(holder_path(config))
    with pytest.raises(Locked):
        take(config)
    faster.release()


RACER = """
import os, sys
from squids.supervisor.control.lock import Lock, Locked
from squids.supervisor.control.protocol import default_socket

config, marker = sys.argv[1:]
sys.stdin.readline()
taken = 0
while taken < 150:
    try:
        lock = Lock.take(config, default_socket(config))
    except Locked:
        continue
    os.close(os.open(marker, os.O_CREAT | os.O_EXCL))  # FileExistsError: two have it.
    lock.record(pid=os.getpid())
    os.unlink(marker)
    lock.release()
    taken += 1
print(taken)
"""


def test_of_many_that_start_and_end_at_the_same_time_one_has_it(config: str, tmp_path: Path) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, config, str(tmp_path / "marker")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("\n")
        racer.stdin.flush()
    for racer in racers:
        output, errors = racer.communicate(timeout=60)
        assert (output, errors) == ("150\n", "")
    assert files_below(private_directory()) == []


@pytest.fixture
def nowhere(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder in which nothing can be created, also by root."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/proc/self")


@pytest.mark.usefixtures("nowhere")
def test_where_its_folder_cannot_be_a_lock_is_beside_the_socket_that_the_file_names(
    config: str, tmp_path: Path
) -> None:
    """Its folder is not ours to remove."""
    folder = tmp_path / "sockets"
    folder.mkdir(mode=0o700)
    socket = str(folder / "s")
    lock = Lock.take(config, socket)
    lock.record(pid=os.getpid())
    lock.keep()
    with pytest.raises(Locked):
        Lock.take(config, socket)
    assert files_below(str(folder)) == ["s.json", "s.lock"]
    lock.release()
    assert folder.is_dir() and files_below(str(folder)) == []


@pytest.mark.usefixtures("nowhere")
def test_without_such_a_socket_it_is_refused(config: str) -> None:
    with pytest.raises(OSError, match="squids"):
        take(config)
