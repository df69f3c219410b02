"""What log lines are made of, on both sides of a pipe. Pure.

A child's log line comes as a record: JSON behind a record separator, so that it is told from what tasks
print. https://www.rfc-editor.org/rfc/rfc7464
"""

from __future__ import annotations

import json

RECORD = "\x1e"


def shown(value: object) -> str:
    """A value of `key=value`: quoted where it has spaces, with its line ends escaped."""
    text = str(value)
    if not text or any(character.isspace() or character in '"=' for character in text):
        return json.dumps(text, ensure_ascii=False)
    return text


PRIORITIES = {"DEBUG": 7, "INFO": 6, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}
"""syslog(3), of levels: https://www.freedesktop.org/software/systemd/man/latest/sd-daemon.html"""


def with_priority(level: str, text: str) -> str:
    """The same text, with the level's priority before each of its lines."""
    priority = PRIORITIES.get(level, 6)
    return "\n".join(f"<{priority}>{line}" for line in text.split("\n"))
