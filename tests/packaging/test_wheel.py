"""What is installed: the wheel that the build makes."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = "import sys, hatchling.build as b; print(b.build_wheel(sys.argv[1]))"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    directory = tmp_path_factory.mktemp("wheel")
    # In a process of its own: a build works from the current directory.
    command = [sys.executable, "-c", BUILD, str(directory)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return zipfile.ZipFile(next(directory.glob("*.whl")))


def _metadata(wheel: zipfile.ZipFile, name: str) -> str:
    return next(
        wheel.read(entry).decode() for entry in wheel.namelist() if entry.endswith(f".dist-info/{name}")
    )


def test_a_wheel_has_the_package_and_nothing_beside_it(wheel: zipfile.ZipFile) -> None:
    tops = {entry.partition("/")[0] for entry in wheel.namelist()}
    assert len(tops) == 2
    assert "squids" in tops


def test_a_wheel_has_every_module_and_the_mark_of_types(wheel: zipfile.ZipFile) -> None:
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "squids").rglob("*.py")}
    assert modules | {"squids/py.typed"} <= set(wheel.namelist())


def test_a_wheel_has_what_init_writes(wheel: zipfile.ZipFile) -> None:
    templates = {str(path.relative_to(ROOT)) for path in (ROOT / "squids").rglob("*.template")}
    assert len(templates) == 4
    assert templates <= set(wheel.namelist())


def test_a_wheel_has_the_units(wheel: zipfile.ZipFile) -> None:
    templates = {str(path.relative_to(ROOT)) for path in (ROOT / "squids/cli/systemd/template").iterdir()}
    assert len(templates) == 7
    assert templates <= set(wheel.namelist())


def test_a_wheel_installs_the_commands_and_the_pytest_plugin(wheel: zipfile.ZipFile) -> None:
    entries = _metadata(wheel, "entry_points.txt")
    assert "squids = squids.cli.start:squids" in entries
    assert "squids-supervisor = squids.cli.start:supervisor" in entries
    assert "[pytest11]\nsquids = squids.testing.plugin" in entries


def test_the_command_says_its_version() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "squids", "--version"],
        cwd=os.sep,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("squids 1.")
