"""Opens, writes and rotates the files of `log_file`, so that no one can use them against root.

A log directory often belongs to the program's user while the supervisor runs as root. So the path is walked
directory by directory: a link counts only if root made it and only root can replace it. The file itself must
not be a link or have hard links, and must belong to root or the program's user. This is checked on first use,
after SIGUSR2 and after a rotation.
"""

from __future__ import annotations

import errno
import os
import pwd
import stat
from collections import deque
from dataclasses import dataclass

from squids.supervisor.app_spec import group_of, user_of
from squids.supervisor.plain_files import MAX_LINKS, user_name
from squids.supervisor.settings import AppSpec, LogFile
from squids.supervisor.trust import PathStep, leads_root

NEW_MODE = 0o640
"""The mode of a new file. It belongs to the program's group, whose members may read it."""

_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


@dataclass(frozen=True, slots=True)
class Trusted:
    """Whose files are accepted. `users` None: anyone's, as this process has only its own rights."""

    users: frozenset[int] | None
    group: int | None

    @classmethod
    def of(cls, app_spec: AppSpec) -> Trusted:
        """Return the rule for a program of this app spec."""
        if os.geteuid() != 0:
            return cls(None, None)
        if app_spec.user is None:
            return cls(frozenset({0}), None)
        user, group = user_of(app_spec), group_of(app_spec)
        uid = user if isinstance(user, int) else pwd.getpwnam(str(user)).pw_uid
        return cls(frozenset({0, uid}), group if isinstance(group, int) else None)

    def check(self, status: os.stat_result) -> None:
        """Raise PermissionError, with the owner and a remedy, if the owner is not accepted."""
        if self.users is not None and status.st_uid not in self.users:
            owners = " or ".join(map(user_name, sorted(self.users)))
            raise _refusal(f"it belongs to {user_name(status.st_uid)}, not to {owners}: change its owner")


class LogWriter:
    """A log file. `write` raises OSError with a reason for people."""

    def __init__(self, file: LogFile, app_spec: AppSpec) -> None:
        self._descriptor: int | None = None
        self._size = 0
        self._reopen = False
        self._file, self._app_spec = file, app_spec

    def use(self, file: LogFile, app_spec: AppSpec) -> None:
        """Apply settings from a reload. Called from another thread."""
        if (file, app_spec) != (self._file, self._app_spec):
            self._file, self._app_spec = file, app_spec
            self._reopen = True

    def reopen(self) -> None:
        """Reopen the file, which was moved. Called from another thread."""
        self._reopen = True

    def write(self, texts: list[str]) -> None:
        if self._reopen:
            self._reopen = False
            self._close()
        for text in texts:
            data = f"{text}\n".encode("utf-8", "replace")
            descriptor = self._opened()
            most = self._file.max_bytes
            if most and self._file.backups and self._size and self._size + len(data) > most:
                descriptor = self._rotated()
            while data:
                written = os.write(descriptor, data)
                self._size += written
                data = data[written:]

    def _opened(self) -> int:
        if self._descriptor is None:
            folder = _folder_of(self._file.path, trusted := Trusted.of(self._app_spec))
            try:
                self._descriptor, self._size = _open(folder, self._file.path, trusted)
            finally:
                os.close(folder)
        return self._descriptor

    def _rotated(self) -> int:
        self._close()
        name = os.path.basename(self._file.path)
        folder = _folder_of(self._file.path, Trusted.of(self._app_spec))
        try:
            for number in range(self._file.backups - 1, -1, -1):
                old = f"{name}.{number}" if number else name
                try:
                    os.rename(old, f"{name}.{number + 1}", src_dir_fd=folder, dst_dir_fd=folder)
                except FileNotFoundError:
                    pass
        finally:
            os.close(folder)
        return self._opened()

    def _close(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.close(descriptor)


def _open(folder: int, path: str, trusted: Trusted) -> tuple[int, int]:
    """Open or create the file; return its descriptor and size."""
    name = os.path.basename(path)
    try:
        descriptor = os.open(name, _FILE | os.O_CREAT | os.O_EXCL, NEW_MODE, dir_fd=folder)
        if trusted.group is not None:
            os.fchown(descriptor, -1, trusted.group)
        return descriptor, 0
    except FileExistsError:
        pass
    try:
        descriptor = os.open(name, _FILE, dir_fd=folder)
    except OSError as error:
        if error.errno in (errno.ELOOP, getattr(errno, "EFTYPE", errno.ELOOP)):
            raise _refusal("it is a link: name the file itself") from None
        if error.errno == errno.ENXIO:
            raise _refusal("it is not a regular file") from None
        raise
    try:
        status = os.fstat(descriptor)
        _check_file(status, trusted)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, status.st_size


def _check_file(status: os.stat_result, trusted: Trusted) -> None:
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISCHR(status.st_mode):  # /dev/null is fine.
        raise _refusal("it is not a regular file")
    trusted.check(status)
    if trusted.users is not None and stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
        raise _refusal("it has more than one name (hard links): remove it, a new one is made")


def _folder_of(path: str, trusted: Trusted) -> int:
    """Open the file's directory, following no link that others could have made."""
    if trusted.users is None:
        return os.open(os.path.dirname(path), _FOLDER)
    folder = os.open("/", _FOLDER)
    try:
        parts = deque(os.path.dirname(path).split("/"))
        links = 0
        while parts:
            part = parts.popleft()
            if part in ("", "."):
                continue
            if stat.S_ISLNK(os.stat(part, dir_fd=folder, follow_symlinks=False).st_mode):
                links += 1
                _check_link(part, folder, links)
                target = os.readlink(part, dir_fd=folder)
                parts.extendleft(reversed(target.split("/")))
                part = "/" if target.startswith("/") else "."
            following = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = following
    except BaseException:
        os.close(folder)
        raise
    return folder


def _check_link(name: str, folder: int, links: int) -> None:
    """Raise PermissionError if it is not root's, or if others may replace it."""
    if links > MAX_LINKS:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    link, place = _step(name, os.stat(name, dir_fd=folder, follow_symlinks=False)), os.fstat(folder)
    if not leads_root(link, _step("", place)):
        owner = user_name(link.uid)
        text = f"{name}, on the way to it, is a link of {owner} that others can change: name its target"
        raise _refusal(text)


def _step(path: str, status: os.stat_result) -> PathStep:
    return PathStep(path, status.st_mode, status.st_uid, status.st_gid)


def _refusal(text: str) -> PermissionError:
    return PermissionError(errno.EPERM, text)
