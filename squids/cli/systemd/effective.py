"""What systemd knows about the unit that runs a file, so that `check` can warn."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence

from squids.process.cpus import usable_cpus
from squids.supervisor.capacity import Limit, shortages
from squids.supervisor.control.protocol import SYSTEM_CONFIG, without_suffix
from squids.supervisor.settings import ProgramSettings

UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1, "min": 60, "h": 3600, "d": 86400, "w": 604800}
"""systemd.time(7): units of time spans from `systemctl show`."""

PROPERTIES = (
    "Id",
    "ExecStart",
    "TimeoutStopUSec",
    "UnitFileState",
    "DropInPaths",
    "ActiveState",
    "LimitNOFILE",
    "LimitNPROC",
    "TasksMax",
)


def stop_warning(config: str, longest_drain: float) -> str | None:
    """Return what is wrong with the unit's TimeoutStopSec, or None if it is fine or there is no unit."""
    for unit, flag, properties in units_of(config):
        seconds = parse_span(properties.get("TimeoutStopUSec", ""))
        if seconds is not None and seconds < longest_drain:
            return (
                f"{unit} has {seconds:g} s to stop (TimeoutStopSec), but its queues may take "
                f"{longest_drain:g} s: run `squids-supervisor systemd install{flag}` again"
            )
    return None


def limit_warnings(config: str, programs: Sequence[ProgramSettings]) -> list[str]:
    """Return warnings of limits that are too low: those of the file's unit, or of this shell."""
    cpus = usable_cpus()
    for unit, _, properties in units_of(config):
        descriptors = [_limit_of(unit, "LimitNOFILE", properties)]
        tasks = [_limit_of(unit, name, properties) for name in ("TasksMax", "LimitNPROC")]
        return shortages(programs, cpus, descriptors=descriptors, tasks=[*tasks, *_kernel_limits()])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]  # The supervisor raises its limit to this.
    descriptors = [("the hard limit of this shell (ulimit -Hn)", _finite(hard))]
    tasks = [("pids.max of this container", _number_in("/sys/fs/cgroup/pids.max"))]
    if os.geteuid() != 0:  # It does not apply to root: setrlimit(2).
        tasks.append(("ulimit -u of this shell", _finite(resource.getrlimit(resource.RLIMIT_NPROC)[0])))
    return shortages(programs, cpus, descriptors=descriptors, tasks=[*tasks, *_kernel_limits()])


def _limit_of(unit: str, name: str, properties: Mapping[str, str]) -> Limit:
    text = properties.get(name, "")
    return f"{name} of {unit}", int(text) if text.isdecimal() else None


def _kernel_limits() -> list[Limit]:
    return [("kernel.pid_max", _number_in("/proc/sys/kernel/pid_max"))]


def _finite(limit: int) -> int | None:
    return None if limit == resource.RLIM_INFINITY else limit


def _number_in(path: str) -> int | None:
    try:
        with open(path) as file:
            text = file.read().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None


def units_of(config: str) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield each unit that runs this file: its name, the installer's flag for it, and its properties."""
    directory, name = os.path.split(os.path.abspath(config))
    if directory != SYSTEM_CONFIG or shutil.which("systemctl") is None:
        return
    stem = without_suffix(name)
    units = {"squids-supervisor.service": "", f"squids-supervisor@{stem}.service": f" --instance {stem}"}
    for unit, flag in units.items():
        properties = _show(unit)
        if runs(properties, f"{directory}/{name}"):
            yield unit, flag, properties


def _show(unit: str) -> dict[str, str]:
    done = subprocess.run(
        ["systemctl", "show", f"--property={','.join(PROPERTIES)}", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    return dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)


def runs(properties: Mapping[str, str], config: str) -> bool:
    """Whether a unit is for this file.

    A template matches any name; its instance counts if it is enabled, has drop-ins of its own, or runs.
    """
    if f" -c {config} " not in properties.get("ExecStart", ""):
        return False
    if "@" not in properties.get("Id", ""):
        return True
    enabled = properties.get("UnitFileState") == "enabled"
    own = f"{properties.get('Id')}.d/" in properties.get("DropInPaths", "")
    return enabled or own or properties.get("ActiveState") != "inactive"


def parse_span(text: str) -> float | None:
    """Parse `1min 30s` to seconds; None for `infinity`, and if it is not a time span."""
    parts = re.findall(r"([\d.]+)(us|ms|s|min|h|d|w)\b", text)
    return sum(float(number) * UNITS[unit] for number, unit in parts) if parts else None
