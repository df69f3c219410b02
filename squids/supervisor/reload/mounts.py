"""Knows the file systems on which a change may come without an event, and decides whether to poll. Pure.

The kernel reports what is changed through it. On a folder that a host shares with its virtual machine or
container, the editor is on the other side; on a network file system it may be on another machine.

Source: inotify(7).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from squids.process.mountinfo import Mounted

SHARES = frozenset(
    {
        "9p",  # WSL 2, QEMU, gVisor, minikube.
        "drvfs",  # WSL 1.
        "vboxsf",  # VirtualBox.
        "prl_fs",  # Parallels.
        "virtiofs",  # Docker Desktop, Lima, colima, libvirt.
        "fakeowner",  # Docker Desktop, over one of the others.
        "osxfs",
        "grpcfuse",
        "fuse.osxfs",
        "fuse.grpcfuse",
        "fuse.vmhgfs-fuse",  # VMware.
    }
)
"""What a host shares: the editor is on the other side."""

NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "lustre", "fuse.glusterfs", "fuse.sshfs"}
)
"""Here, changes from this machine are reported, and those from others are not."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted file system: where, and its type."""

    place: str
    kind: str

    @property
    def trouble(self) -> str | None:
        """What to say of it to those who watch files there; None if there is nothing."""
        if self.kind in SHARES:
            return (
                f"{self.place} is shared by a host ({self.kind}), and its changes may come without an event: "
                "files there are looked at instead, which takes CPU; if events do come, set "
                "reload: {polling: false}"
            )
        if self.kind in NETWORK:
            return (
                f"{self.place} is a network file system ({self.kind}): what other machines change there is "
                "not noticed; if they do, set reload: {polling: true}"
            )
        return None


def mount_of(path: str, mounts: Iterable[Mounted]) -> Mount | None:
    """Return what a path without symbolic links lies on."""
    found: Mounted | None = None
    for one in mounts:
        inside = path == one.place or path.startswith(f"{one.place.rstrip('/')}/")
        # A later mount hides an earlier one.
        if inside and (found is None or len(one.place) >= len(found.place)):
            found = one
    return None if found is None else Mount(found.place, found.kind)


def force_polling(setting: bool | None, *, chosen: bool, mount: Mount | None) -> bool | None:
    """Return whether to poll; None leaves it to watchfiles, which polls in WSL 2.

    `setting`: the file's, None for `auto`. `chosen`: whether WATCHFILES_FORCE_POLLING is set, which
    watchfiles reads itself.
    """
    if setting is not None:
        return setting
    if not chosen and mount is not None and mount.kind in SHARES:
        return True
    return None
