"""The variables of a service, from a file that systemd reads: EnvironmentFile= in systemd.exec(5). Pure.

Good enough to know what a configuration file says; the service itself gets them from systemd.
"""

from __future__ import annotations


def parse(text: str) -> dict[str, str]:
    """Each line's name and value, without the quotes around it. What is no assignment is left out."""
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
