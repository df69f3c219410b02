"""The CPU limit of a container or a unit, from trees of control groups as systems make them."""

from __future__ import annotations

import pytest

from squids.process.cpu_limits import limit_of, quota, workers_for
from squids.process.mountinfo import parse

UNIFIED = "35 24 0:30 {root} /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
CPU = "32 31 0:29 {root} /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
OTHER = (
    "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n33 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
)


def found(groups: str, mounts: str, files: dict[str, str]) -> float | None:
    return limit_of(
        groups, parse(OTHER + mounts), {f"/sys/fs/cgroup{path}": text for path, text in files.items()}.get
    )


@pytest.mark.parametrize(
    ("case", "groups", "mounts", "files", "limit"),
    [
        ("a pod, or Docker: a namespace of its own", "0::/", UNIFIED, {"/cpu.max": "150000 100000\n"}, 1.5),
        ("the host without a limit", "0::/user.slice/x", UNIFIED, {"/user.slice/x/cpu.max": "max 100000\n"}, None),
        ("a unit with CPUQuota=", "0::/system.slice/s", UNIFIED, {"/system.slice/s/cpu.max": "5000 10000"}, 0.5),
        (
            "a slice around it is tighter",
            "0::/a.slice/b.slice/s",
            UNIFIED,
            {"/a.slice/b.slice/s/cpu.max": "400000 100000", "/a.slice/cpu.max": "200000 100000"},
            2.0,
        ),
        ("Docker with version 1", "4:cpu,cpuacct:/", CPU, {
            "/cpu,cpuacct/cpu.cfs_quota_us": "250000\n", "/cpu,cpuacct/cpu.cfs_period_us": "100000\n"}, 2.5),
        ("version 1 without a limit", "4:cpu,cpuacct:/", CPU, {
            "/cpu,cpuacct/cpu.cfs_quota_us": "-1\n", "/cpu,cpuacct/cpu.cfs_period_us": "100000\n"}, None),
        ("the root of the host, which has no file", "0::/", UNIFIED, {}, None),
        ("neither is mounted", "0::/x", "", {"/x/cpu.max": "100000 100000"}, None),
    ],
)  # fmt: skip
def test_the_tightest_limit_around_the_process_counts(case, groups, mounts, files, limit):
    assert found(groups, mounts.format(root="/"), files) == limit, case


def test_a_group_is_found_below_the_one_that_is_mounted():
    """As in a container that sees the names of the host."""
    files = {"/cpu.max": "100000 100000", "/inner/cpu.max": "50000 100000"}
    mounts = UNIFIED.format(root="/docker/abc")
    assert found("0::/docker/abc", mounts, files) == 1.0
    assert found("0::/docker/abc/inner", mounts, files) == 0.5
    assert found("0::/docker/abcdef", mounts, files) == 1.0, "it lies elsewhere"
    assert found("0::/../other", UNIFIED.format(root="/"), files) == 1.0, "it was moved out of its namespace"


@pytest.mark.parametrize(
    "text", ["", "max 100000", "-1 100000", "0 100000", "100000 0", "x y", "1 2 3", "²  1"]
)
def test_what_is_no_limit_is_none(text):
    assert quota(text) is None


@pytest.mark.parametrize(("limit", "workers"), [(0.05, 1), (1.0, 1), (1.5, 2), (2.0, 2), (2.01, 3)])
def test_a_part_of_a_cpu_is_a_worker_too(limit, workers):
    assert workers_for(limit) == workers
