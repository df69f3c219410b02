"""What is wrong with a path of the configuration file: missing, or not what it has to be."""

from __future__ import annotations

import os
import stat


def wrong_directory(path: str) -> str | None:
    """Return why this is not a directory, or None."""
    if os.path.isdir(path):
        return None
    return f"{path} is not a directory" if os.path.exists(path) else f"directory {path} does not exist"


def wrong_interpreter(path: str) -> str | None:
    """Return why this cannot be run, or None."""
    if not os.path.exists(path):
        return f"interpreter {path} does not exist"
    if os.path.isdir(path):
        return f"interpreter {path} is a directory"
    return None if os.access(path, os.X_OK) else f"interpreter {path} is not executable"


def wrong_log_file(path: str) -> str | None:
    """Return why no log file can be there, or None."""
    if why := wrong_directory(os.path.dirname(path)):
        return why
    return f"{path} is a directory" if os.path.isdir(path) else None


def wrong_socket(path: str) -> str | None:
    """Return why no socket can be there, or None."""
    if why := wrong_directory(os.path.dirname(path)):
        return why
    try:
        is_socket = stat.S_ISSOCK(os.lstat(path).st_mode)
    except OSError:
        return None
    return None if is_socket else f"{path} is there, and is not a socket"
