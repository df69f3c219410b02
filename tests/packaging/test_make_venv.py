"""The script behind `make venv`, where it cannot do its work: it says why, and leaves nothing behind.

That it does its work is seen by whoever runs these tests with `make test`.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "make-venv"
OLD = '#!/bin/sh\n[ "$1" = --version ] && { echo Python 3.9.2; exit 0; }\nexit 1\n'
BARE = f'#!/bin/sh\ncase "$*" in *ensurepip*) exit 1;; esac\nexec "{sys.executable}" "$@"\n'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the script, under a path with a space."""
    directory = tmp_path / "a checkout"
    (directory / "scripts").mkdir(parents=True)
    shutil.copy(SCRIPT, directory / "scripts")
    (directory / "pyproject.toml").write_text("")
    return directory


def _run(checkout: Path, python: str | None) -> subprocess.CompletedProcess[str]:
    tools = checkout.parent / "bin"
    tools.mkdir()
    for tool in ("dirname", "cksum", "head", "rm"):
        (tools / tool).symlink_to(shutil.which(tool) or tool)
    if python is not None:
        (tools / "python3").write_text(python)
        (tools / "python3").chmod(0o755)
    return subprocess.run(
        ["/bin/sh", "scripts/make-venv", "local"],
        cwd=checkout,
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_python_that_is_too_old_is_named(checkout: Path) -> None:
    done = _run(checkout, OLD)
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed, but found Python 3.9.2" in done.stderr
    assert not (checkout / ".venv").exists()


def test_a_machine_without_python_is_told_so(checkout: Path) -> None:
    done = _run(checkout, None)
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed" in done.stderr


def test_a_debian_without_venv_is_told_which_package_it_lacks(checkout: Path) -> None:
    done = _run(checkout, BARE)
    assert done.returncode == 1
    assert "apt-get install python3-venv" in done.stderr
    assert not (checkout / ".venv").exists()
