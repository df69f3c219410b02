"""Which files were imported, and what became of them since."""

from __future__ import annotations

import importlib
import os
import py_compile
import subprocess
import sys

import pytest

import squids
from squids.process import imported_files
from squids.process.figures import ImportedFile
from squids.process.imported_files import (
    changed_files,
    drop_bytecode,
    files_imported,
    files_met,
    own_files,
)


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Imports a module of this text."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, text: str):
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        importlib.invalidate_caches()
        return path

    before = set(sys.modules)
    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


def imported(path) -> list[ImportedFile]:
    return [file for file in files_imported() if file.path == str(path)]


def test_a_file_that_was_imported_is_known_with_its_time_and_size(module):
    path = module("some_tasks", "x = 1\n")
    assert not imported(path)
    importlib.import_module("some_tasks")
    (file,) = imported(path)
    assert (file.modified, file.size) == (path.stat().st_mtime_ns, 6)


def test_the_standard_librarys_files_do_not_count():
    paths = {file.path for file in files_imported()}
    assert os.__file__ not in paths
    assert pytest.__file__ in paths


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_text("x = 2  # longer\n"),
        lambda path: os.utime(path, ns=(0, path.stat().st_mtime_ns + 1)),
        lambda path: path.unlink(),
    ],
    ids=["size", "time", "gone"],
)
def test_what_is_not_as_it_was_imported_has_changed(module, change):
    path = module("some_tasks", "x = 1\n")
    importlib.import_module("some_tasks")
    files = imported(path)
    assert changed_files(files) == []
    change(path)
    assert changed_files(files) == [str(path)]


@pytest.mark.parametrize("text", ["import broken_helper\n", "def f(:\n"])
def test_a_failed_import_names_the_files_that_it_reached(module, text):
    """The one that it failed in is no module, and may not even compile."""
    helper = module("broken_helper", "1 / 0\n")
    path = module("broken", text)
    with pytest.raises(Exception, match=r".") as failure:
        importlib.import_module("broken")
    met = files_met(failure.value)
    assert (str(helper) if "import" in text else str(path)) in met
    assert all(os.path.isabs(name) for name in met)


def test_what_is_installed_and_squids_itself_are_not_the_users_own(tmp_path):
    """Links count as what they lead to."""
    mine = tmp_path / "tasks.py"
    mine.touch()
    (tmp_path / "link.py").symlink_to(mine)
    root = os.path.dirname(squids.__file__)
    paths = [
        str(tmp_path / "link.py"),
        str(tmp_path / "site-packages" / "x.py"),
        str(tmp_path / "dist-packages" / "x.py"),
        squids.__file__,
        imported_files.__file__,
        os.path.join(root, "pool", "worker_main.py"),
        os.path.join(root, "supervisor", "reload", "reloader.py"),
        f"{root}_of_mine/x.py",
    ]
    assert own_files(paths) == {os.path.realpath(mine), f"{os.path.realpath(root)}_of_mine/x.py"}


def test_bytecode_of_one_file_is_dropped(tmp_path):
    """Also where its name looks like a glob; nobody else's."""
    for name in ("a[1].py", "a1.py"):
        (tmp_path / name).write_text("x = 1\n")
        py_compile.compile(str(tmp_path / name))
    drop_bytecode(str(tmp_path / "a[1].py"))
    drop_bytecode(str(tmp_path / "gone.py"))
    drop_bytecode(str(tmp_path / "a1.txt"))
    (left,) = (tmp_path / "__pycache__").iterdir()
    assert left.name.startswith("a1.")


SAME_SECOND_AND_SIZE = """
import os, sys
sys.path.insert(0, sys.argv[1])
path = os.path.join(sys.argv[1], "tasks.py")
if "without" in sys.argv:
    from squids.process.imported_files import import_without_bytecode
    import_without_bytecode()
import tasks
print(tasks.x)
"""


def imported_x(directory, *how: str) -> str:
    """What a fresh interpreter finds in the module of this directory."""
    command = [sys.executable, "-c", SAME_SECOND_AND_SIZE, str(directory), *how]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_a_cache_that_looks_fresh_is_not_read(tmp_path):
    """Two versions of one second and one size: the cache is of the older."""
    path = tmp_path / "tasks.py"
    for x in (1, 2):
        path.write_text(f"x = {x}\n")
        os.utime(path, (1e9, 1e9))
        assert imported_x(tmp_path) == "1"
    assert imported_x(tmp_path, "without") == "2"


def test_no_cache_is_written(tmp_path):
    (tmp_path / "tasks.py").write_text("x = 1\n")
    assert imported_x(tmp_path, "without") == "1"
    assert os.listdir(tmp_path) == ["tasks.py"]
