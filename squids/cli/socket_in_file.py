"""Finds `supervisor.socket` in a file, for the client if no supervisor is at the default place."""

from __future__ import annotations

import os

from squids.supervisor.config.build import read


def socket_in_file(config: str) -> str | None:
    """Return the path that the file sets, or None if it sets none or is invalid."""
    settings = read(config, os.environ)
    return None if isinstance(settings, list) else settings.supervisor.socket
