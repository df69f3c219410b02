"""What systemd knows of the unit that runs a file, so that `check` can warn."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping

from squids.cli.systemd.units import CONFIG_DIRECTORY

UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1, "min": 60, "h": 3600, "d": 86400, "w": 604800}
"""systemd.time(7), as `systemctl show` writes spans of time."""

PROPERTIES = ("Id", "ExecStart", "TimeoutStopUSec", "UnitFileState", "DropInPaths", "ActiveState")


def stop_warning(config: str, longest_drain: float) -> str | None:
    """What is wrong with the unit's TimeoutStopSec; None if nothing is, or there is no unit."""
    directory, name = os.path.split(os.path.abspath(config))
    if directory != CONFIG_DIRECTORY or shutil.which("systemctl") is None:
        return None
    stem = name.removesuffix(".yaml").removesuffix(".yml")
    units = {"squids-supervisor.service": "", f"squids-supervisor@{stem}.service": f" --instance {stem}"}
    for unit, flag in units.items():
        known = _show(unit)
        seconds = parse_span(known.get("TimeoutStopUSec", ""))
        if runs(known, f"{directory}/{name}") and seconds is not None and seconds < longest_drain:
            return (
                f"{unit} has {seconds:g} s to stop (TimeoutStopSec), and its queues may take "
                f"{longest_drain:g} s: run `squids-supervisor systemd install{flag}` again"
            )
    return None


def _show(unit: str) -> dict[str, str]:
    done = subprocess.run(
        ["systemctl", "show", f"--property={','.join(PROPERTIES)}", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def runs(known: Mapping[str, str], config: str) -> bool:
    """Whether a unit is for this file. Of a template there is a unit for each name: it is one when it is
    enabled, has something of its own, or runs."""
    if f" -c {config} " not in known.get("ExecStart", ""):
        return False
    if "@" not in known.get("Id", ""):
        return True
    enabled = known.get("UnitFileState") == "enabled"
    own = f"{known.get('Id')}.d/" in known.get("DropInPaths", "")
    return enabled or own or known.get("ActiveState") != "inactive"


def parse_span(text: str) -> float | None:
    """`1min 30s` in seconds; None for `infinity`, and for what is no span."""
    parts = re.findall(r"([\d.]+)(us|ms|s|min|h|d|w)\b", text)
    return sum(float(number) * UNITS[unit] for number, unit in parts) if parts else None
