"""The units for manual installation and packages, for a virtual environment in `/opt/squids/current`.

`python -m squids.cli.systemd.shipped DIRECTORY` writes them.
"""

from __future__ import annotations

import sys
from pathlib import Path

from squids.cli.systemd.units import SYSTEM, Installation, files

BIN = "/opt/squids/current/bin"

USER_CONFIG = "%h/.config/squids/squids.yaml"

SHIPPED = {
    f"{SYSTEM}/squids-supervisor.service": "squids-supervisor.service",
    f"{SYSTEM}/squids-supervisor@.service": "squids-supervisor@.service",
    f"{SYSTEM}/squids@.service": "squids@.service",
    "/etc/sysusers.d/squids.conf": "sysusers.d/squids.conf",
    "/etc/tmpfiles.d/squids.conf": "tmpfiles.d/squids.conf",
    "user/squids-supervisor.service": "user/squids-supervisor.service",
}
"""The installed path of each file, and its path among the shipped ones."""


def shipped() -> dict[str, str]:
    """Return the path of each shipped file, and its contents."""
    made = files(Installation(bin=BIN)) | files(Installation(bin=BIN, config=USER_CONFIG, home="user"))
    return {SHIPPED[path]: text for path, text in made.items()}


if __name__ == "__main__":
    for name, text in shipped().items():
        path = Path(sys.argv[1]) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
