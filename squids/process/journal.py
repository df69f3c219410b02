"""Whether lines go to the journal. What it wants of them is in `record`."""

from __future__ import annotations

import os


def is_journal() -> bool:
    """Whether standard error goes to the journal: systemd.exec(5), $JOURNAL_STREAM."""
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        status = os.fstat(2)
    except OSError:
        return False
    return (str(status.st_dev), str(status.st_ino)) == (device, inode)
