"""PostgreSQL's own server on a unix socket, for one test. It runs as the user postgres where the tests are root's."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def programs() -> Path | None:
    """Where initdb and pg_ctl are. Debian has a folder for each version, which is not on PATH."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return versions[-1].parent if versions else None


class Postgres:
    """A server with its socket in `directory`, and a database and a user named postgres."""

    def __init__(self, directory: Path, programs: Path) -> None:
        self.directory = directory
        self._programs = programs
        self._user = "postgres" if os.geteuid() == 0 else None

    def start(self) -> None:
        self._run("initdb", "-D", "data", "-A", "trust", "-U", "postgres", "--no-sync")
        self._control("start")

    def restart(self) -> None:
        """End all connections, and serve again."""
        self._control("restart", "-m", "fast")

    def stop(self) -> None:
        self._control("stop", "-m", "immediate")

    def _control(self, *arguments: str) -> None:
        options = f"-c listen_addresses= -c unix_socket_directories={self.directory} -c fsync=off"
        self._run("pg_ctl", "-D", "data", "-l", "log", "-o", options, "-w", *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._programs / program, *arguments],
            cwd=self.directory,
            user=self._user,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=60,
            check=True,
        )


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Run a server. Skips the test where there is none to run."""
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL's programs are not installed")
    directory = Path(tempfile.mkdtemp(prefix="squids-pg-"))  # Its user cannot enter a folder of the tests.
    try:
        if os.geteuid() == 0:
            shutil.chown(directory, "postgres")
        server = Postgres(directory, found)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(directory)
