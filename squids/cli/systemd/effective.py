"""What systemd knows of the unit that runs a file, so that `check` can warn."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

from squids.cli.systemd.units import CONFIG_DIRECTORY

UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1, "min": 60, "h": 3600, "d": 86400, "w": 604800}
"""systemd.time(7), as `systemctl show` writes spans of time."""


def stop_warning(config: str, longest_drain: float) -> str | None:
    """What is wrong with the unit's TimeoutStopSec; None if nothing is, or there is no unit."""
    directory, name = os.path.split(os.path.abspath(config))
    if directory != CONFIG_DIRECTORY or shutil.which("systemctl") is None:
        return None
    stem = name.removesuffix(".yaml").removesuffix(".yml")
    units = [f"squids-supervisor@{stem}.service"]
    if stem == "squids":
        units.insert(0, "squids-supervisor.service")
    for unit in units:
        seconds = _stop_timeout(unit)
        if seconds is not None and seconds < longest_drain:
            return (
                f"{unit} has {seconds:g} s to stop (TimeoutStopSec), and its queues may take "
                f"{longest_drain:g} s: run `squids-supervisor systemd install` again"
            )
    return None


def _stop_timeout(unit: str) -> float | None:
    """Seconds; None if there is no such unit, or it waits for ever."""
    done = subprocess.run(
        ["systemctl", "show", "-p", "FragmentPath", "-p", "TimeoutStopUSec", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    values = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    if not values.get("FragmentPath"):
        return None
    return parse_span(values.get("TimeoutStopUSec", ""))


def parse_span(text: str) -> float | None:
    """`1min 30s` in seconds; None for `infinity`, and for what is no span."""
    parts = re.findall(r"([\d.]+)(us|ms|s|min|h|d|w)\b", text)
    return sum(float(number) * UNITS[unit] for number, unit in parts) if parts else None
