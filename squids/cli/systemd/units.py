"""Makes units from where squids is, its user, and how long its stops take. Pure except for templates.

The first line of each file is a mark that identifies it as ours.
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

MARK = "Written by `squids-supervisor systemd`. Changes belong into drop-ins: systemctl edit."

SYSTEM = "/etc/systemd/system"
SUPERVISOR = f"{SYSTEM}/squids-supervisor.service"

UNIT_STOP_MARGIN = 30.0
"""Seconds beyond the longest drain, for processes to be killed, give back and exit."""

LEAST_STOP = 90
"""systemd's own default."""

LEAST_START = 300
"""Seconds to import the apps. Queues need not exist: the service is up without them, too."""

LEAST = {"START": str(LEAST_START), "STOP": str(LEAST_STOP)}
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
        return max(LEAST_STOP, math.ceil((drain + UNIT_STOP_MARGIN) / 10) * 10)

    @property
    def start_seconds(self) -> int:
        """TimeoutStartSec, which also limits a reload."""
        return max(LEAST_START, self.stop_seconds)

    @property
    def unit(self) -> str:
        """The unit that runs the file."""
        return f"squids-supervisor@{self.instance}.service" if self.instance else "squids-supervisor.service"


def misread(of: Installation) -> str | None:
    """Return what systemd would misinterpret, as a sentence, or None."""
    for path in (of.bin, of.config, of.plain_config):
        if not path.isprintable() or SPECIAL.intersection(path):
            shown = path if path.isprintable() else ascii(path)
            return f"{shown}: systemd would read these characters in its own way; take another path"
    for path in (of.plain_config,) if of.instance else (of.config, of.plain_config):
        name = _name(path)
        if of.home is None and (not name or ":" in name or name.startswith(".")):
            return f"{path}: systemd would not name a directory in /run/squids so; take another name"
    for name in (of.user, of.group):
        if not USER.fullmatch(name):
            return f"{name!a} is not a user or group name that a unit can hold"
    return None


def is_ours(text: str) -> bool:
    """Whether `install` wrote this file. A mark further down, such as in a quotation, does not count."""
    return text.startswith(f"# {MARK}\n")


def files(of: Installation) -> dict[str, str]:
    """Return the path of each file, and its contents."""
    if of.home is not None:
        values = {"TITLE": _name(of.config), "ENVIRONMENT": variables_file(of.config)}
        return {f"{of.home}/{of.unit}": _filled("user.service", of, **values)}
    return {
        SUPERVISOR: _supervisor(of),
        f"{SYSTEM}/squids-supervisor@.service": _supervisor_template(of),
        f"{SYSTEM}/squids@.service": _filled("queue.service", of, **LEAST),
        **_instance(of),
        **({"/etc/sysusers.d/squids.conf": _filled("sysusers.conf", of)} if of.user == "squids" else {}),
        "/etc/tmpfiles.d/squids.conf": _filled("tmpfiles.conf", of),
    }


def _supervisor(of: Installation) -> str:
    if of.instance:
        of = replace(of, instance=None, config=of.plain_config, longest_drain=of.plain_drain)
    return _filled("supervisor.service", of, **_of_file(of.config, _name(of.config)))


def _supervisor_template(of: Installation) -> str:
    return _filled("supervisor.service", of, **_of_file(f"{SYSTEM_CONFIG}/%i.yaml", "%i"), **LEAST)


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


def _instance(of: Installation) -> dict[str, str]:
    if of.instance is None:
        return {}
    return {f"{SYSTEM}/{of.unit}.d/stop-timeout.conf": _filled("stop-timeout.conf", of)}


def variables_file(config: str) -> str:
    """Return the path of the file of variables beside a configuration."""
    return f"{without_suffix(config)}.env"


def _name(config: str) -> str:
    return without_suffix(Path(config).name)


def _filled(template: str, of: Installation, **values: str) -> str:
    text = (TEMPLATES / template).read_text(encoding="utf-8")
    known = {
        "MARK": MARK,
        "BIN": of.bin,
        "CONFIG": of.config,
        "USER": of.user,
        "GROUP": of.group,
        "START": str(of.start_seconds),
        "STOP": str(of.stop_seconds),
        **values,
    }
    if "@HARDENING@" in text:
        known["HARDENING"] = (TEMPLATES / "hardening.conf").read_text(encoding="utf-8")
    # In one pass: text like `@USER@` in a value is not a placeholder.
    return PLACEHOLDER.sub(lambda match: known[match[1]], text)
