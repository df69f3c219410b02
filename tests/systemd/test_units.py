"""What systemd itself says of the units: 252, which the machine has, and a later one."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from squids.cli.systemd.units import Installation, files
from tests.support.machines import tree
from tests.support.machines.machine import Machine

MAX_EXPOSED = 1.5
LATER = "trixie"
HARDENED = ("squids-supervisor.service", "squids-supervisor@shop.service", "squids@emails.service")


def _verify(run, units: list[str]) -> None:
    done = run("systemd-analyze", "verify", "--man=no", *units)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout + done.stderr == ""


def _exposure(run, unit: str) -> float:
    done = run("systemd-analyze", "security", "--no-pager", "--offline=true", unit)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    return float(found[1])


def test_units_are_clean_and_little_exposed(machine: Machine) -> None:
    version = machine.run("systemctl", "--version").stdout.split()[1]
    _verify(machine.run, list(HARDENED))
    for unit in HARDENED:
        exposure = _exposure(machine.run, unit)
        print(f"\nsystemd {version}: exposure of {unit}: {exposure} (at most {MAX_EXPOSED})")
        assert exposure <= MAX_EXPOSED


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory):
    """A tree of a later Debian, not booted, with the units in it: run a command there."""
    place = tmp_path_factory.mktemp("later") / "tree"
    subprocess.run(["cp", "-a", str(tree.debian(LATER, ("systemd",))), str(place)], check=True)
    for path, text in files(Installation(bin="/opt/squids/current/bin")).items():
        file = place / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    for drop_in in (Path(tree.ROOT) / "systemd" / "drop-ins").glob("*.conf"):
        directory = place / "etc/systemd/system/squids-supervisor@.service.d"
        directory.mkdir(exist_ok=True)
        (directory / drop_in.name).write_text(drop_in.read_text())
    for command in ("squids", "squids-supervisor"):
        file = place / "opt/squids/current/bin" / command
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("#!/bin/sh\n")
        file.chmod(0o755)

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["chroot", str(place), *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={**tree.INSIDE, "SYSTEMD_COLORS": "0"},
        )

    made = run("systemd-sysusers", "squids.conf")
    assert made.returncode == 0, made.stderr
    return run


def test_units_and_drop_ins_are_clean_on_a_later_systemd(later) -> None:
    version = later("systemctl", "--version").stdout.split()[1]
    assert int(version) > 252
    _verify(later, [f"/etc/systemd/system/{unit}" for unit in HARDENED])
    for unit in HARDENED:
        exposure = _exposure(later, f"/etc/systemd/system/{unit}")
        print(f"\nsystemd {version}: exposure of {unit}: {exposure} (at most {MAX_EXPOSED})")
        assert exposure <= MAX_EXPOSED
