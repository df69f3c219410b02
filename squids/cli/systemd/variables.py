"""Reads a service's variables from a file: EnvironmentFile= in systemd.exec(5). Pure.

Good enough to read a configuration file; the service itself gets them from systemd.
"""

from __future__ import annotations


def parse(text: str) -> dict[str, str]:
    """Return the name and value of each assignment, without quotes; skip other lines."""
    found = {}
    for line in text.replace("\\\n", "").splitlines():
        name, equals, value = line.strip().partition("=")
        if not equals or name.startswith(("#", ";")):
            continue
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        found[name.strip()] = value
    return found
