"""A Debian tree to boot, with squids in it.

What takes minutes, Debian's packages and those from PyPI, is kept outside the checkout, in
`$XDG_CACHE_HOME/squids/systemd` (`~/.cache/...`), by what it is made of; a test run takes a copy, and installs the
wheel of this checkout in that. Trees that were not used for a while are removed.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[3]

PACKAGES = (
    "ca-certificates",
    "dbus",
    "dbus-user-session",
    "dnsmasq-base",
    "iproute2",
    "libpam-systemd",
    "openssl",
    "procps",
    "python3",
    "python3-venv",
    "systemd",
    "systemd-sysv",
    "util-linux",
)
"""What a small server has, and a name server for the test of one."""

PYTHON = "3.11"
"""Bookworm's."""

WHEELS = "/var/cache/wheels"
"""Where a tree has what PyPI has elsewhere."""

INSIDE = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
"""The environment of commands in a tree: nothing of this machine's."""

KEPT_DAYS = 14
"""How long a tree is kept that is not used: longer than it takes to come back to a branch."""

BUILD = "import sys, hatchling.build as b; print(b.build_wheel(sys.argv[1]))"


def missing() -> str | None:
    """Why no tree can be booted here; None if it can."""
    if sys.platform != "linux":
        return f"systemd is Linux's, and this is {sys.platform}"
    if os.geteuid() != 0:
        return "needs root, to boot a container"
    tools = {"debootstrap": "debootstrap", "systemd-nspawn": "systemd-container", "nsenter": "util-linux"}
    packages = [package for tool, package in tools.items() if shutil.which(tool) is None]
    if packages:
        return f"needs Debian's packages: apt-get install {' '.join(packages)}"
    return None


def cache() -> Path:
    """Where trees are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "squids" / "systemd"


def debian(release: str, packages: tuple[str, ...] = PACKAGES) -> Path:
    """A tree of this release with these packages, which nobody may change."""
    path = cache() / f"{release}-{_digest([release, *packages])}"
    with _made_once(path) as new:
        if new is not None:
            command = [
                "debootstrap",
                "--variant=minbase",
                f"--include={','.join(packages)}",
                release,
                str(new),
            ]
            _run(command)
            shutil.rmtree(new / "var" / "cache" / "apt" / "archives", ignore_errors=True)
    return path


def server() -> Path:
    """Bookworm, and all that squids and its local SQS depend on in `/opt/squids/deps`, which nobody may change."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["local"]]
    path = cache() / f"server-{_digest([*PACKAGES, *wanted, WHEELS])}"
    with _made_once(path) as new:
        if new is not None:
            subprocess.run(["cp", "-a", f"{debian('bookworm')}/.", str(new)], check=True)
            _install(new, wanted)
    return path


def _install(tree: Path, wanted: list[str]) -> None:
    """By the wheels that pip finds for the tree's Python: the tree itself needs no network."""
    wheels = tree / WHEELS.lstrip("/")
    machine = platform.machine()
    platforms = [f"--platform=manylinux{tag}_{machine}" for tag in ("_2_34", "_2_28", "2014", "_2_17")]
    _run(
        [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            f"--dest={wheels}",
            "--only-binary=:all:",
            f"--python-version={PYTHON}",
            "--implementation=cp",
            *platforms,
            *wanted,
        ]
    )
    _run(["chroot", str(tree), "python3", "-m", "venv", "/opt/squids/deps"])
    install = f"/opt/squids/deps/bin/python -m pip install --quiet --no-index --no-deps {WHEELS}/*.whl"
    _run(["chroot", str(tree), "sh", "-c", install], INSIDE)


def install_squids(tree: Path, wheels: Path, name: str) -> None:
    """A virtual environment `/opt/squids/NAME` with the wheel of this checkout. `wheels`: where it is built."""
    wheel = built(wheels)
    shutil.copy(wheel, tree / "var" / "tmp")
    _run(["chroot", str(tree), "python3", "-m", "venv", "--without-pip", f"/opt/squids/{name}"])
    packages = f"lib/python{PYTHON}/site-packages"
    (tree / f"opt/squids/{name}/{packages}/deps.pth").write_text(f"/opt/squids/deps/{packages}\n")
    install = [
        "/opt/squids/deps/bin/python",
        "-m",
        "pip",
        f"--python=/opt/squids/{name}",
        "install",
        "--quiet",
    ]
    _run(["chroot", str(tree), *install, "--no-index", "--no-deps", f"/var/tmp/{wheel.name}"], INSIDE)


def built(wheels: Path) -> Path:
    """The wheel of this checkout, built in this directory if it is not there yet."""
    if not list(wheels.glob("*.whl")):
        _run([sys.executable, "-c", BUILD, str(wheels)], cwd=ROOT)
    return next(wheels.glob("*.whl"))


@contextmanager
def _made_once(path: Path) -> Iterator[Path | None]:
    """A folder to fill, which becomes `path` when that is done; None if it is there. Others wait meanwhile.

    The tree counts as in use until this process ends: `prune` of another run keeps it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = open(f"{path}.lock", "a")
    try:
        fcntl.flock(lock, fcntl.LOCK_SH)
        if not path.exists():
            fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            yield None
        else:
            new = _unfinished(path)
            _remove(new)
            new.mkdir(mode=0o755)
            yield new
            new.rename(path)
        os.utime(
            lock.fileno()
        )  # Before the lock is shared: in between, `prune` may take it, and looks at this.
        fcntl.flock(lock, fcntl.LOCK_SH)
    except BaseException:
        lock.close()
        raise
    _in_use.append(lock)


_in_use: list[IO[str]] = []
"""The locks of this process's trees."""


def prune() -> list[Path]:
    """Remove trees that no run has used for KEPT_DAYS days, and that none uses now. Which they were."""
    removed = []
    for lock_path in sorted(cache().glob("*.lock")):
        path = lock_path.with_suffix("")
        if not path.exists() and not _unfinished(path).exists():
            continue
        with open(lock_path, "a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            if time.time() - os.fstat(lock.fileno()).st_mtime < KEPT_DAYS * 86400:
                continue
            _remove(_unfinished(path))
            if path.exists():
                path.rename(
                    _unfinished(path)
                )  # Killed from here on, no run takes half a tree for a whole one.
                _remove(_unfinished(path))
            removed.append(path)
    return removed


def _unfinished(path: Path) -> Path:
    return Path(f"{path}.new")


def _remove(path: Path) -> None:
    unmount_below(path)  # A debootstrap that was killed has its /proc and /sys there still.
    shutil.rmtree(path, ignore_errors=True)


def unmount_below(path: Path) -> None:
    """Whatever is mounted in this folder is not any more, the innermost first."""
    mounted = [line.split(" ")[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for place in reversed(mounted):
        if place.startswith(f"{path}/"):
            _run(["umount", "--lazy", place])


def _digest(parts: list[str]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]


def _run(command: list[str], environment: dict[str, str] | None = None, cwd: Path | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:4])} ... failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
