"""Which file systems report changes."""

from __future__ import annotations

import pytest

from squids.process.mountinfo import parse
from squids.supervisor.reload.mounts import NETWORK, SHARES, Mount, force_polling, mount_of

MOUNTS = r"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 0:40 / /mnt/c rw,noatime - 9p drvfs rw,dirsync
31 22 0:41 / /home nodev - nfs4 nas:/home rw
32 31 0:42 / /home/ada/my\040code rw - fuse.grpcfuse grpcfuse rw
33 22 0:43 / /over rw - ext4 /dev/sdb rw
34 33 0:44 / /over rw - virtiofs src rw
not a mount
"""


@pytest.mark.parametrize(
    ("path", "place", "kind"),
    [
        ("/srv/shop", "/", "ext4"),
        ("/mnt/c/Users/ada", "/mnt/c", "9p"),
        ("/mnt/cc", "/", "ext4"),
        ("/home/ada", "/home", "nfs4"),
        ("/home/ada/my code/shop", "/home/ada/my code", "fuse.grpcfuse"),
        ("/over/x", "/over", "virtiofs"),
    ],
)
def test_a_path_lies_on_the_nearest_mount_above_it(path: str, place: str, kind: str) -> None:
    assert mount_of(path, parse(MOUNTS)) == Mount(place, kind)


def test_without_mounts_nothing_is_known() -> None:
    """As on macOS."""
    assert mount_of("/srv", ()) is None


@pytest.mark.parametrize("kind", sorted(SHARES | NETWORK))
def test_what_may_be_silent_is_said_with_what_to_do(kind: str) -> None:
    trouble = Mount("/srv", kind).trouble
    assert trouble is not None
    assert trouble.startswith("/srv is ")
    assert "reload: {polling: " in trouble


def test_of_a_local_file_system_nothing_is_said() -> None:
    for kind in ("ext4", "btrfs", "overlay", "tmpfs", "fuse.mergerfs"):
        assert Mount("/srv", kind).trouble is None


def test_the_file_decides_then_the_variable_then_the_mount() -> None:
    share, network, local = Mount("/", "9p"), Mount("/", "nfs"), Mount("/", "ext4")
    assert force_polling(False, chosen=False, mount=share) is False
    assert force_polling(True, chosen=True, mount=local) is True
    assert force_polling(None, chosen=True, mount=share) is None, "watchfiles reads the variable"
    assert force_polling(None, chosen=False, mount=share) is True
    assert [force_polling(None, chosen=False, mount=one) for one in (network, local, None)] == [None] * 3
