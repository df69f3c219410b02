"""Text for a terminal or a line of a log: control characters are shown, not sent.

Names of tasks, exceptions and output of tasks may hold any character. Raw, some of them move the cursor,
change the window's title, or forge a line of a log. Here each becomes an escape that a person can read,
like `\\x1b`.
"""

from __future__ import annotations

import re

_CONTROL = re.compile(
    "["
    "\x00-\x1f"  # C0: ESC, BEL, CR, backspace, line feed, tab ...
    "\x7f-\x9f"  # DEL and C1: 0x9b is a CSI of one character, 0x85 a line end.
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # The order of the text (bidi) can be changed with these.
    "\u2028\u2029"  # Line ends to some readers.
    "\ud800-\udfff"  # Lone surrogates: no encoding takes them.
    "\ufff9-\ufffb"  # Interlinear annotation.
    "]"
)


def printable(text: str, keep: str = "") -> str:
    """The text with each control character as a visible escape; those in `keep` ("\\n", "\\t") stay.

    This is for people to read: an escape that the text had before looks like one that was made here.
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
