"""Makes units for an installation: its paths, its user and its stop time.

It reads templates and nothing else. The first line of each file is a mark that identifies it as ours.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path

from squids.supervisor.control.protocol import SYSTEM_CONFIG, without_suffix

PLACEHOLDER = re.compile("@([A-Z]+)@")

SPECIAL = frozenset(" %\"'\\$*?[]")
"""Characters that are special to systemd in some directive: systemd.syntax(7), systemd.exec(5)."""

USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]*")

TEMPLATES = Path(__file__).parent / "template"

AUTHOR = "Written by `squids-supervisor systemd`."
"""How each file that `install` writes begins, after "# ". Changing it would disown the installed ones."""

MARK = f"{AUTHOR} Changes belong in drop-ins: systemctl edit."

SYSTEM = "/etc/systemd/system"
SUPERVISOR = f"{SYSTEM}/squids-supervisor.service"

UNIT_STOP_MARGIN = 30.0
"""Seconds beyond the longest drain, for processes to be killed, give back and exit."""

MIN_STOP = 90
"""In seconds: systemd's own default."""

MIN_START = 300
"""Seconds to import the apps. Queues need not exist for the service to be up."""

MIN_TIMEOUTS = {"START": str(MIN_START), "STOP": str(MIN_STOP)}
"""For units that are not made for a single file."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What units are made for.

    `bin`: the directory of the commands. `config`: the file of `squids-supervisor.service`; with an
    `instance`, the file of `squids-supervisor@INSTANCE.service`, while the `plain` values are for the unit
    without a name. `longest_drain`: seconds that the file's queues may take; None: the file does not exist
    yet. `home`: where a user's units go, for `systemctl --user`; None: system units.
    """

    bin: str
    config: str = f"{SYSTEM_CONFIG}/squids.yaml"
    user: str = "squids"
    group: str = "squids"
    instance: str | None = None
    longest_drain: float | None = None
    plain_config: str = f"{SYSTEM_CONFIG}/squids.yaml"
    plain_drain: float | None = None
    home: str | None = None

    @property
    def stop_seconds(self) -> int:
        """TimeoutStopSec."""
        drain = self.longest_drain if self.longest_drain is not None else 0.0
        return max(MIN_STOP, math.ceil((drain + UNIT_STOP_MARGIN) / 10) * 10)

    @property
    def start_seconds(self) -> int:
        """TimeoutStartSec, which also limits a reload."""
        return max(MIN_START, self.stop_seconds)

    @property
    def unit(self) -> str:
        """The unit that runs the file."""
        return f"squids-supervisor@{self.instance}.service" if self.instance else "squids-supervisor.service"


def misread(installation: Installation) -> str | None:
    """Return what systemd would misinterpret, as a sentence, or None."""
    for path in (installation.bin, installation.config, installation.plain_config):
        if not path.isprintable() or SPECIAL.intersection(path):
            shown = path if path.isprintable() else ascii(path)
            return f"{shown}: systemd gives some of these characters a meaning of its own; use another path"
    configs = [installation.plain_config]
    if not installation.instance:
        configs.insert(0, installation.config)
    for path in configs:
        name = _name(path)
        if installation.home is None and (not name or ":" in name or name.startswith(".")):
            return (
                f"{path}: systemd does not accept this name for a directory in /run/squids; use another name"
            )
    for name in (installation.user, installation.group):
        if not USER.fullmatch(name):
            return f"{name!a} is not a valid user or group name for a unit"
    return None


def is_ours(text: str) -> bool:
    """Whether `install` wrote this file. A mark further down, such as in a quotation, does not count."""
    return text.startswith(f"# {AUTHOR}")


def files(installation: Installation) -> dict[str, str]:
    """Return the path of each file, and its contents."""
    if installation.home is not None:
        values = {"TITLE": _name(installation.config), "ENVIRONMENT": variables_file(installation.config)}
        return {f"{installation.home}/{installation.unit}": _filled("user.service", installation, **values)}
    return {
        SUPERVISOR: _supervisor(installation),
        f"{SYSTEM}/squids-supervisor@.service": _supervisor_template(installation),
        f"{SYSTEM}/squids@.service": _filled("queue.service", installation, **MIN_TIMEOUTS),
        **_instance(installation),
        **_sysusers(installation),
        "/etc/tmpfiles.d/squids.conf": _filled("tmpfiles.conf", installation),
    }


def _supervisor(installation: Installation) -> str:
    if installation.instance:
        installation = replace(
            installation,
            instance=None,
            config=installation.plain_config,
            longest_drain=installation.plain_drain,
        )
    return _filled(
        "supervisor.service", installation, **_of_file(installation.config, _name(installation.config))
    )


def _supervisor_template(installation: Installation) -> str:
    return _filled(
        "supervisor.service", installation, **_of_file(f"{SYSTEM_CONFIG}/%i.yaml", "%i"), **MIN_TIMEOUTS
    )


@dataclass(frozen=True, slots=True)
class Before:
    """The user and the file that a unit was made for."""

    user: str
    config: str


def installed_as(supervisor: str) -> Before | None:
    """Return what `squids-supervisor.service` was made for, or None if it is not ours."""
    user = re.search(r"^User=(\S+)$", supervisor, re.MULTILINE)
    config = re.search(r"^ExecStart=\S+ -c (\S+)$", supervisor, re.MULTILINE)
    if not is_ours(supervisor) or user is None or config is None:
        return None
    return Before(user[1], config[1])


def _of_file(config: str, name: str) -> dict[str, str]:
    environment = variables_file(config)
    return {"CONFIG": config, "TITLE": name, "RUNTIME": f"squids/{name}", "ENVIRONMENT": environment}


def _instance(installation: Installation) -> dict[str, str]:
    if installation.instance is None:
        return {}
    return {f"{SYSTEM}/{installation.unit}.d/stop-timeout.conf": _filled("stop-timeout.conf", installation)}


def _sysusers(installation: Installation) -> dict[str, str]:
    if installation.user != "squids":
        return {}
    return {"/etc/sysusers.d/squids.conf": _filled("sysusers.conf", installation)}


def variables_file(config: str) -> str:
    """Return the path of the file of variables beside a configuration."""
    return f"{without_suffix(config)}.env"


def _name(config: str) -> str:
    return without_suffix(Path(config).name)


def _filled(template: str, installation: Installation, **values: str) -> str:
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    known = {
        "MARK": MARK,
        "BIN": installation.bin,
        "CONFIG": installation.config,
        "USER": installation.user,
        "GROUP": installation.group,
        "START": str(installation.start_seconds),
        "STOP": str(installation.stop_seconds),
        **values,
    }
    if "@HARDENING@" in text:
        known["HARDENING"] = (TEMPLATES / "hardening.conf").read_text(encoding="utf-8")
    # In one pass: text like `@USER@` in a value is not a placeholder.
    return PLACEHOLDER.sub(lambda match: known[match[1]], text)
