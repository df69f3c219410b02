"""A tree, booted: commands in it, files, units, the journal, and a way to its network.

It has a network of its own, with nothing in it but a loopback, and ends with the tests, whatever ends those.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from tests.support.waiting import wait_until

CLONE_NEWNET = 0x40000000

NSPAWN = "setpriv --pdeathsig=TERM systemd-nspawn --boot --register=no --keep-unit --private-network".split()
"""It ends with the tests, however they end."""

REBOOT = 133
"""The exit code of nspawn when the container wants to be booted again."""

PATH = "/opt/squids/current/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Machine:
    """One container. `name` is its host's name, too; `log` is where its console goes."""

    def __init__(self, tree: Path, name: str, log: Path) -> None:
        self.tree = tree
        self.name = name
        self.log = log
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._console: IO[bytes] | None = None
        self.leader = 0

    # Its life.

    def boot(self) -> None:
        """Until systemd has started all that it starts by itself."""
        if self._console is None:
            self._console = self.log.open("wb")
        self._nspawn = subprocess.Popen(
            [*NSPAWN, f"--machine={self.name}", f"--directory={self.tree}"],
            stdin=subprocess.DEVNULL,
            stdout=self._console,
            stderr=subprocess.STDOUT,
            process_group=0,
            preexec_fn=lambda: _enter_own_cgroups(self.name),
        )
        wait_until(self._find_leader, seconds=90, what=self._last_words)
        wait_until(self._is_up, seconds=90, what=self._last_words)

    def reboot(self) -> None:
        """As `reboot` does."""
        assert self._nspawn is not None
        self.run("systemctl", "reboot", check=False)
        assert self._nspawn.wait(90) == REBOOT, self._last_words()
        self.boot()

    def _find_leader(self) -> bool:
        assert self._nspawn is not None
        assert self._nspawn.poll() is None, self._last_words()
        pid = self._nspawn.pid
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            # A stub sets the container up, and then becomes its init.
            try:
                name = Path(f"/proc/{child}/comm").read_text().strip()
            except OSError:
                continue  # One that only prepared it has ended.
            if name == "systemd":
                self.leader = int(child)
                return True
        return False

    def _is_up(self) -> bool:
        done = self.run("systemctl", "is-system-running", "--wait", check=False, seconds=90)
        return done.stdout.strip() in ("running", "degraded")

    def _check_alive(self) -> None:
        assert self._nspawn is not None
        code = self._nspawn.poll()
        assert code is None, f"the machine has ended: exit {code}\n{self._last_words()}"

    def _last_words(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]

    def close(self) -> None:
        """Power off; what does not go by itself is killed."""
        if self._nspawn is None:
            return
        self._nspawn.send_signal(signal.SIGTERM)
        try:
            self._nspawn.wait(30)
        except subprocess.TimeoutExpired:
            os.kill(self.leader, signal.SIGKILL)
            self._nspawn.kill()
            self._nspawn.wait()
        if self._console is not None:
            self._console.close()
        shutil.rmtree(self.tree, ignore_errors=True)
        _remove_own_cgroups(self.name)

    # What is done in it.

    def run(
        self,
        *command: str,
        check: bool = True,
        seconds: float = 120.0,
        user: str = "",
        variables: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """A command, as root, or as a user who logged in."""
        self._check_alive()
        enter = [
            "nsenter",
            f"--target={self.leader}",
            "--mount",
            "--uts",
            "--ipc",
            "--net",
            "--pid",
            "--root",
        ]
        environment = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", "TERM": "dumb", "COLUMNS": "200"}
        if user:
            enter += ["--", "runuser", f"--user={user}", "--"]
            uid = self._uid(user)
            environment |= {"HOME": f"/home/{user}", "XDG_RUNTIME_DIR": f"/run/user/{uid}"}
        done = subprocess.run(
            [*enter, *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            env=environment | dict(variables or {}),
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def systemctl(self, *arguments: str) -> str:
        """Its output; AssertionError if it fails, with the journal's last lines."""
        done = self.run("systemctl", *arguments, check=False)
        if done.returncode != 0:
            words = self.run("journalctl", "--no-pager", "-n", "60", "-o", "short-monotonic").stdout
            raise AssertionError(f"systemctl {' '.join(arguments)}: {done.stdout}{done.stderr}\n{words}")
        return done.stdout

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.systemctl("show", "--value", f"--property={name}", unit).strip()

    def is_active(self, unit: str) -> str:
        """`active`, `activating`, `failed` ..."""
        return self.run("systemctl", "is-active", unit, check=False).stdout.strip()

    def journal(self, unit: str, *arguments: str) -> list[dict[str, Any]]:
        """The entries of a unit, as journald has them."""
        done = self.run("journalctl", "--no-pager", "-o", "json", "-u", unit, *arguments)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def lines(self, unit: str, *arguments: str) -> list[str]:
        """The messages of a unit."""
        return [str(entry["MESSAGE"]) for entry in self.journal(unit, *arguments)]

    def processes(self, unit: str) -> dict[int, str]:
        """What runs in a unit's control group: pid (in the machine) and title."""
        group = self.show(unit, "ControlGroup")
        if not group:
            return {}
        script = (
            'find /sys/fs/cgroup/systemd"$0" /sys/fs/cgroup"$0" -name cgroup.procs 2>/dev/null -exec cat {} + | '
            'sort -un | while read pid; do printf "%s " "$pid"; tr "\\0" " " < /proc/$pid/cmdline; echo; done'
        )
        found = {}
        for line in self.run("sh", "-c", script, group, check=False).stdout.splitlines():
            pid, _, title = line.partition(" ")
            found[int(pid)] = title.strip()
        return found

    def until_processes(self, unit: str, *titles: str) -> dict[int, str]:
        """The processes of a unit, once those with these titles are among them.

        A service that has started may fork its workers still: the first receive waits for none of them.
        """
        return wait_until(
            lambda: found if set(titles) <= set((found := self.processes(unit)).values()) else {},
            what=lambda: f"{titles} in {self.processes(unit)}",
        )

    def pid_of(self, unit: str, word: str) -> int:
        """The one process of a unit whose title has this word."""
        found = self.processes(unit)
        (pid,) = [pid for pid, title in found.items() if word in title] or [None]
        assert pid is not None, found
        return pid

    def kill(self, pid: int, number: signal.Signals) -> None:
        self.run("kill", f"-{number.value}", str(pid))

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """A file, with the directories above it."""
        file = self.tree / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def read(self, path: str) -> str:
        return (self.tree / path.lstrip("/")).read_text()

    def exists(self, path: str) -> bool:
        """Also of what is mounted over the tree, as /run is."""
        return self.run("test", "-e", path, check=False).returncode == 0

    def _uid(self, user: str) -> int:
        for line in self.read("/etc/passwd").splitlines():
            if line.split(":")[0] == user:
                return int(line.split(":")[2])
        raise KeyError(user)

    # Its network.

    @contextmanager
    def network(self) -> Iterator[None]:
        """This thread is in the machine's network: what it connects to is there."""
        self._check_alive()
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/thread-self/ns/net") as here, open(f"/proc/{self.leader}/ns/net") as there:
            _set_network(libc, there.fileno())
            try:
                yield
            finally:
                _set_network(libc, here.fileno())


def _set_network(libc: ctypes.CDLL, descriptor: int) -> None:
    if libc.setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


# systemd in the container rules the control groups from where it starts: two containers must not start from one.


def _hierarchies() -> Sequence[Path]:
    root = Path("/sys/fs/cgroup")
    named = [root / "systemd", root / "unified"]
    return [path for path in named if (path / "cgroup.procs").exists()] or [root]


def _enter_own_cgroups(name: str) -> None:
    for hierarchy in _hierarchies():
        (hierarchy / name).mkdir(exist_ok=True)
        (hierarchy / name / "cgroup.procs").write_text(str(os.getpid()))


def _remove_own_cgroups(name: str) -> None:
    for hierarchy in _hierarchies():
        for directory, _, _ in os.walk(hierarchy / name, topdown=False):
            try:
                os.rmdir(directory)
            except OSError:
                pass  # The kernel is not done with what ended there.
