"""What is mounted, from lines as the kernel writes them."""

from __future__ import annotations

import os
import sys

import pytest

from squids.process.mountinfo import Mounted, parse, read_mounts


def test_a_line_says_what_is_mounted_where():
    """Any number of optional fields stand before the dash."""
    lines = (
        "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
        "32 31 0:29 /docker/a /sys/fs/cgroup/cpu rw shared:9 master:1 - cgroup cgroup rw,cpu,cpuacct\n"
    )
    assert list(parse(lines)) == [
        Mounted("/", "/", "ext4", ("rw",)),
        Mounted("/docker/a", "/sys/fs/cgroup/cpu", "cgroup", ("rw", "cpu", "cpuacct")),
    ]


def test_names_with_spaces_and_other_separators_are_read():
    """The kernel escapes a space, a tab, a line feed and a backslash, nothing else."""
    (found,) = parse("1 0 0:1 /r\\011 /a\\040b\\134c\\012d\x1ce - fuse.x src rw\n")
    assert (found.root, found.place) == ("/r\t", "/a b\\c\nd\x1ce")


@pytest.mark.parametrize(
    "line", ["", "not a mount", "1 0 0:1 /", "1 0 0:1 / /srv rw", "1 0 0:1 / /srv rw - "]
)
def test_what_is_none_is_ignored(line):
    assert list(parse(line)) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has the file")
def test_the_mounts_of_this_process_are_read():
    assert all(os.path.isabs(one.place) for one in read_mounts())
    assert {"proc"} <= {one.kind for one in read_mounts()}
