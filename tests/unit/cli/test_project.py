"""The project that `init` writes."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from squids.cli.init import project
from squids.cli.init.project import NAMES, write_project
from squids.exit_codes import ExitCode
from squids.supervisor.config.build import read
from squids.supervisor.settings import Settings


def test_what_is_written_is_a_file_that_is_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And root would read it, whatever the umask."""
    before = os.umask(0)
    try:
        assert write_project(str(tmp_path / "a project")) == ExitCode.OK
    finally:
        os.umask(before)
    root = tmp_path / "a project"
    assert sorted(path.name for path in root.iterdir()) == sorted(NAMES)
    assert {stat.S_IMODE(path.stat().st_mode) for path in root.iterdir()} == {0o644}
    assert isinstance(read(str(root / "squids.yaml"), {}, trusting=True), Settings)
    assert json.loads((root / project.SCHEMA).read_text())["properties"]
    for name in ("tasks.py", "test_tasks.py"):
        compile((root / name).read_text(), name, "exec")
    printed = capsys.readouterr().out
    assert f"  cd '{root}'" in printed
    assert "squids-supervisor --dev" in printed


def test_in_the_current_directory_nobody_has_to_go_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A name that looks like an option is one that `cd` understands."""
    monkeypatch.chdir(tmp_path)
    write_project(".")
    assert "  cd " not in capsys.readouterr().out
    write_project("-p")
    assert "  cd ./-p\n" in capsys.readouterr().out


def test_what_is_there_stays_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "tasks.py").write_text("mine")
    assert write_project(str(tmp_path)) == ExitCode.OK
    assert (tmp_path / "tasks.py").read_text() == "mine"
    printed = capsys.readouterr().out
    assert printed.startswith("kept as they are: tasks.py\nwritten: squids.yaml, ")
    assert "Your files were not changed" in printed
    assert write_project(str(tmp_path)) == ExitCode.OK
    assert capsys.readouterr().out.endswith("nothing was written: all files exist already\n")


def test_what_cannot_be_written_is_said_and_no_half_of_a_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The next time it would count as written."""
    (tmp_path / "file").touch()
    assert write_project(str(tmp_path / "file/below")) == ExitCode.FAILURE
    assert capsys.readouterr().err.startswith("squids-supervisor: cannot write ")
    real = project._writable_by_owner

    def on_a_full_disk(path: str, flags: int) -> int:
        os.close(real(path, flags))
        return os.open("/dev/full", os.O_WRONLY)

    monkeypatch.setattr(project, "_writable_by_owner", on_a_full_disk)
    assert write_project(str(tmp_path / "full")) == ExitCode.FAILURE
    path = tmp_path / "full/tasks.py"
    assert capsys.readouterr().err == f"squids-supervisor: cannot write {path}: No space left on device\n"
    assert list((tmp_path / "full").iterdir()) == []
