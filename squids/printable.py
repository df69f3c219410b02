"""Makes text safe for a terminal or a log line by escaping control characters. Pure.

Task names, exceptions and output may contain any character. Some move the cursor, change the window's title,
or forge a log line. Each becomes a readable escape like `\\x1b`.
"""

from __future__ import annotations

import re

_CONTROL = re.compile(
    "["
    "\x00-\x1f"  # C0: ESC, BEL, CR, backspace, line feed, tab ...
    "\x7f-\x9f"  # DEL and C1. 0x9b is a one-character CSI, 0x85 a line end.
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # Bidirectional controls, which reorder text.
    "\u2028\u2029"  # Line ends to some programs.
    "\ud800-\udfff"  # Lone surrogates, which no encoding accepts.
    "\ufff9-\ufffb"  # Interlinear annotation.
    "]"
)


def printable(text: str, keep: str = "") -> str:
    """Return the text with control characters escaped, except those in `keep` (such as "\\n\\t").

    For display only: an escape that was already in the text looks the same.
    """
    if text.isprintable():
        return text

    def shown(match: re.Match[str]) -> str:
        character = match[0]
        return character if character in keep else _escaped(character)

    return _CONTROL.sub(shown, text)


def _escaped(character: str) -> str:
    if (known := {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character)) is not None:
        return known
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
