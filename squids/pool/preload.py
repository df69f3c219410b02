"""What a process of ours imports before it forks: the app, and boto3 with SQS's service model.

Importing is what costs; forking is cheap. What must not cross a fork is threads and
connections: an app that starts some at import is found here, and started the other way, in a
fresh interpreter for each process.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
import sysconfig
import threading
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from typing import TYPE_CHECKING, Any

from squids.errors import SquidsError
from squids.loading import load_app
from squids.process import log_setup
from squids.process.figures import ImportedFile, ImportFacts
from squids.process.native_threads import libraries_loaded, native_threads

if TYPE_CHECKING:
    from squids.app import App


def load(args: dict[str, Any]) -> App:
    """Import the app from `directory` and warm what its processes share.

    `write_bytecode` false: what changes often had better leave no caches, which are told from fresh ones by
    seconds and sizes only; and those that others left are not read, wherever they lie.
    """
    if not args.get("write_bytecode", True):
        sys.dont_write_bytecode = True
        _read_no_bytecode()
    directory = str(args.get("directory") or os.getcwd())
    if directory not in sys.path:
        sys.path.insert(0, directory)
    app = load_app(str(args["app"]))
    app.sqs.warm()
    return app


OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
"""This copy of squids, wherever it lies."""


def _read_no_bytecode() -> None:
    """But for what is installed, and squids itself. A loader that has no facts of a source's file does not
    look at its cache: https://docs.python.org/3/library/importlib.html#importlib.abc.SourceLoader.path_stats"""
    path_stats = SourceFileLoader.path_stats
    _is_standard("")  # What it works out imports modules of its own (3.13): now, and not within an import.

    def of_installed(loader: SourceFileLoader, path: str) -> Mapping[str, Any]:
        installed = "/site-packages/" in path or "/dist-packages/" in path
        if installed or _is_standard(path) or path.startswith(OWN):
            return path_stats(loader, path)
        raise OSError(f"no cache of {path} counts")

    SourceFileLoader.path_stats = of_installed  # type: ignore[method-assign,assignment]


def load_shared(args: dict[str, Any]) -> tuple[App, str, ImportFacts]:
    """What a supervisor's zygote imports: the app; what of it no fork may cross; and what there is to know.

    `consumers` are the options of those that will be forked: their clients are made here, where nobody has to
    be asked for credentials.
    """
    log_setup.configure(args["log_level"], "record")
    sockets = sockets_open()
    imported_at = time.time()
    try:
        app = load(args)
    except SquidsError as error:
        error.files = files_met(error)
        raise
    unforkable = unforkable_since(sockets)
    if not unforkable:
        for module in SHARED:
            importlib.import_module(module)
        from squids.pool.rehearsal import rehearse  # With all that a consumer imports.

        rehearse(app, args["consumers"])
    return app, str(unforkable) if unforkable else "", ImportFacts(imported_at, files_imported())


SHARED = ("squids.pool.consumer_child", "squids.pool.worker_main", "asyncio.selector_events")
"""What all children need."""


def files_imported() -> tuple[ImportedFile, ...]:
    """The files of all modules but the standard library's: path, time of the last change in ns, size."""
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


def files_met(error: SquidsError) -> tuple[str, ...]:
    """What an import that failed came to: files of modules, and those that it failed in, which are none."""
    found = [path for path, *_ in files_imported()]
    cause: BaseException | None = error
    while cause is not None:
        found += [frame.f_code.co_filename for frame, _ in traceback.walk_tb(cause.__traceback__)]
        if isinstance(cause, SyntaxError) and cause.filename is not None:
            found.append(cause.filename)
        cause = cause.__cause__ or cause.__context__
    return tuple(path for path in dict.fromkeys(found) if os.path.isabs(path) and not _is_standard(path))


def _is_standard(path: str) -> bool:
    packages = path.startswith(_below("purelib", "platlib"))
    return path.startswith(_below("stdlib", "platstdlib")) and not packages


@functools.cache
def _below(*names: str) -> tuple[str, ...]:
    return tuple(sysconfig.get_path(name) + os.sep for name in names)


@dataclass(frozen=True, slots=True)
class Unforkable:
    """What the app left behind at import that no fork may cross."""

    threads: tuple[str, ...]
    sockets: int
    native: tuple[str, ...] = ()
    """Names of threads of compiled code."""
    libraries: tuple[str, ...] = ()
    """Whose code that may be."""

    def __bool__(self) -> bool:
        return bool(self.threads or self.sockets or self.native)

    def __str__(self) -> str:
        parts = []
        if self.threads:
            parts.append(f"threads ({', '.join(self.threads)})")
        if self.native:
            parts.append(self._natively())
        if self.sockets:
            parts.append(f"{self.sockets} open socket{'s' if self.sockets > 1 else ''}")
        return " and ".join(parts)

    def _natively(self) -> str:
        count = len(self.native)
        text = f"{count} thread{'s' if count > 1 else ''} of compiled code ({', '.join(self.native)}"
        if self.libraries:
            text += f"; compiled code is loaded from: {', '.join(self.libraries)}"
        return text + ")"


def sockets_open() -> frozenset[str]:
    """The sockets this process has open, where the system tells (Linux)."""
    found = set()
    try:
        descriptors = os.listdir("/proc/self/fd")
    except OSError:
        return frozenset()
    for descriptor in descriptors:
        try:
            target = os.readlink(f"/proc/self/fd/{descriptor}")
        except OSError:
            continue  # The descriptor of the listing itself.
        if target.startswith("socket:"):
            found.add(target)
    return frozenset(found)


def unforkable_since(sockets_before: frozenset[str]) -> Unforkable:
    """What of threads and sockets is here now and was not before the import."""
    threads = tuple(thread.name for thread in threading.enumerate() if thread is not threading.main_thread())
    # Where a thread of Python's runs there is no fork, not even to look for others.
    native = () if threads else tuple(native_threads())
    libraries = tuple(libraries_loaded()) if native else ()
    return Unforkable(threads, len(sockets_open() - sockets_before), native, libraries)
