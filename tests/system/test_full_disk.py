"""A full disk where a command begins: one line, or none where that cannot be written, an exit code, no traceback."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.supervisors import COMMAND

SQUIDS = [sys.executable, "-m", "squids"]


def run(command, directory: Path, *, out=None, err=None, files=True, **environment):
    """`files` False: no file can be written to, as on a full disk (EFBIG)."""
    base = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2]), **environment}

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    with open(out or "/dev/null", "wb") as stdout, open(err or "/dev/null", "wb") as stderr:
        return subprocess.run(
            command,
            cwd=directory,
            env=base,
            stdin=subprocess.DEVNULL,
            stdout=stdout if out else subprocess.PIPE,
            stderr=stderr if err else subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
            preexec_fn=None if files else limit,
        )


@pytest.fixture
def project(tmp_path):
    (tmp_path / "shop.py").write_text("import squids\napp = squids.App('a')\n")
    (tmp_path / "squids.yaml").write_text("app: shop:app\nqueues: {a: {}}\n")
    (tmp_path / "wrong.yaml").write_text("app: 3\n")
    return tmp_path


@pytest.mark.parametrize(
    ("command", "program"),
    [
        ([*COMMAND, "check"], "squids-supervisor"),
        ([*SQUIDS, "--help"], "squids"),
    ],
    ids=str,
)
def test_what_cannot_be_said_is_a_line_and_an_exit_code(project, command, program):
    """A reader is told that it has not all."""
    done = run(command, project, out="/dev/full")
    assert done.stderr == f"{program}: cannot write its output: No space left on device\n"
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ([*COMMAND, "-c", "wrong.yaml"], 78),
        ([*SQUIDS, "--queue", "a", "--app", "shop:nothing"], 78),
        ([*SQUIDS], 2),
    ],
    ids=str,
)
def test_an_exit_code_is_what_it_is_though_nobody_can_be_told_why(project, command, code):
    """Systemd starts 78 no more."""
    assert run(command, project, err="/dev/full").returncode == code


def test_a_lock_that_cannot_be_written_is_told_with_its_path(project):
    """A restart may find room: it is not 78."""
    runtime = tempfile.mkdtemp(prefix="squids-")  # Short, as a socket's path must be.
    try:
        done = run([*COMMAND], project, files=False, XDG_RUNTIME_DIR=runtime)
    finally:
        shutil.rmtree(runtime)
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"squids-supervisor: cannot write {runtime}/")
    assert line.endswith("/supervisor.json: File too large")
    assert done.returncode == 1


def test_a_project_that_cannot_be_written_is_told(tmp_path):
    """And what was begun does not count as written, the next time."""
    done = run([*COMMAND, "init", "there"], tmp_path, files=False)
    assert done.stderr.startswith("squids-supervisor: cannot write there")
    assert done.stderr.endswith(": File too large\n")
    assert done.returncode == 1
    assert run([*COMMAND, "init", "there"], tmp_path).returncode == 0
    assert all(path.stat().st_size for path in (tmp_path / "there").iterdir())
