"""Which files were imported, whether they have changed since, and what of them is the user's own."""

from __future__ import annotations

import functools
import glob
import os
import sys
import sysconfig
import traceback
from collections.abc import Iterable, Mapping
from importlib.machinery import SourceFileLoader
from types import FrameType
from typing import Any

from squids.process.figures import ImportedFile

SQUIDS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
"""This copy of squids, wherever it is."""


def files_imported() -> tuple[ImportedFile, ...]:
    """Return the files of all modules, without the standard library, in their current versions."""
    found = []
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if not path or _is_standard(path):
            continue
        try:
            status = os.stat(path)
        except OSError:
            continue
        found.append(ImportedFile(path, status.st_mtime_ns, status.st_size))
    return tuple(found)


def files_met(error: BaseException) -> tuple[str, ...]:
    """Return the files that a failed import reached: those of modules, and those in which it failed."""
    found = [path for path, *_ in files_imported()]
    cause: BaseException | None = error
    while cause is not None:
        found += [frame.f_code.co_filename for frame, _ in traceback.walk_tb(cause.__traceback__)]
        if isinstance(cause, SyntaxError) and cause.filename is not None:
            found.append(cause.filename)
        cause = cause.__cause__ or cause.__context__
    return tuple(path for path in dict.fromkeys(found) if os.path.isabs(path) and not _is_standard(path))


def changed_files(files: Iterable[ImportedFile]) -> list[str]:
    """Return the files that have changed on disk since their import."""
    changed = []
    for path, modified, size in files:
        try:
            status = os.stat(path)
        except OSError:
            changed.append(path)
            continue
        if (status.st_mtime_ns, status.st_size) != (modified, size):
            changed.append(path)
    return changed


def own_files(paths: Iterable[str]) -> frozenset[str]:
    """Return the real paths of the user's own files.

    These exclude installed packages and squids, whose new code needs another supervisor.
    """
    squids = os.path.realpath(SQUIDS) + os.sep
    real = map(os.path.realpath, paths)
    return frozenset(path for path in real if not _is_installed(path) and not path.startswith(squids))


def is_users_own(path: str) -> bool:
    """Whether code is the user's own: neither installed, nor standard, nor of squids, nor built in."""
    return os.path.isabs(path) and not (_is_installed(path) or _is_standard(path) or path.startswith(SQUIDS))


def own_line_of(error: BaseException) -> str:
    """Return the innermost line of the user's own code in the exception's traceback, or ""."""
    lines = [(frame.f_code.co_filename, number) for frame, number in traceback.walk_tb(error.__traceback__)]
    return _innermost_own(reversed(lines))


def own_caller_of(frame: FrameType | None) -> str:
    """Return the innermost line of the user's own code that this frame was called from, or ""."""
    return _innermost_own((one.f_code.co_filename, number) for one, number in traceback.walk_stack(frame))


def _innermost_own(lines: Iterable[tuple[str, int]]) -> str:
    for file, number in lines:
        if is_users_own(file):
            near = os.path.relpath(file)
            return f"{file if near.startswith('..') else near}:{number}"
    return ""


def drop_bytecode(path: str) -> None:
    """Remove the bytecode of a file.

    It would be used for a newer version with the same second and size.
    https://docs.python.org/3/reference/import.html#cached-bytecode-invalidation
    """
    if not path.endswith(".py"):
        return
    directory, name = os.path.split(path)
    stem = glob.escape(os.path.join(directory, "__pycache__", name.removesuffix(".py")))
    for cached in glob.glob(f"{stem}.*.pyc"):
        try:
            os.unlink(cached)
        except OSError:
            pass


def import_without_bytecode() -> None:
    """Stop reading and writing bytecode of modules, except installed ones and squids.

    A loader that gets no facts about a source file ignores its bytecode:
    https://docs.python.org/3/library/importlib.html#importlib.abc.SourceLoader.path_stats
    """
    sys.dont_write_bytecode = True
    path_stats = SourceFileLoader.path_stats
    _is_standard("")  # Its first call imports modules (3.13): do that now, not within an import.

    def of_installed(loader: SourceFileLoader, path: str) -> Mapping[str, Any]:
        if _is_installed(path) or _is_standard(path) or path.startswith(SQUIDS):
            return path_stats(loader, path)
        raise OSError(f"no cache of {path} counts")

    SourceFileLoader.path_stats = of_installed  # type: ignore[method-assign,assignment]


def _is_installed(path: str) -> bool:
    return "/site-packages/" in path or "/dist-packages/" in path


def _is_standard(path: str) -> bool:
    packages = path.startswith(_below("purelib", "platlib"))
    return path.startswith(_below("stdlib", "platstdlib")) and not packages


@functools.cache
def _below(*names: str) -> tuple[str, ...]:
    return tuple(sysconfig.get_path(name) + os.sep for name in names)
