"""Whom a path is trusted to: each owner and mode on the way, for root and for others; and how the way is found."""

from __future__ import annotations

import os
import stat

import pytest

from squids.supervisor.plain_files import NotPlain, read_plain, steps_to
from squids.supervisor.trust import PathStep, Reason, distrusted, distrusted_place, leads_root, open_folders

ANN, BOB, GROUP = 1000, 1001, 50


def folder(path, mode=0o755, uid=0, gid=0):
    return PathStep(path, stat.S_IFDIR | mode, uid, gid)


def file(path, mode=0o644, uid=0, gid=0):
    return PathStep(path, stat.S_IFREG | mode, uid, gid)


def link(path, uid=0):
    return PathStep(path, stat.S_IFLNK | 0o777, uid, 0)


ROOT, TMP = folder("/"), folder("/tmp", 0o1777)


@pytest.mark.parametrize(
    ("reader", "way", "reason"),
    [
        # Root trusts what root alone can change.
        (0, [ROOT, folder("/etc"), file("/etc/s")], None),
        (0, [ROOT, folder("/etc"), file("/etc/s", uid=ANN)], Reason.OWNER),
        (0, [ROOT, folder("/etc"), file("/etc/s", 0o664)], Reason.GROUP_WRITES),
        (0, [ROOT, folder("/etc"), file("/etc/s", 0o646)], Reason.ALL_WRITE),
        (0, [ROOT, folder("/srv", uid=ANN), file("/srv/s")], Reason.OWNER),
        (0, [ROOT, folder("/srv", 0o775), file("/srv/s")], Reason.GROUP_WRITES),
        (0, [ROOT, folder("/srv", 0o757), file("/srv/s")], Reason.ALL_WRITE),
        (0, [ROOT, TMP, folder("/tmp/x", 0o700), file("/tmp/x/s")], None),
        (0, [ROOT, TMP, file("/tmp/s", uid=ANN)], Reason.OWNER),
        (0, [ROOT, TMP, folder("/tmp/x", uid=ANN), file("/tmp/x/s")], Reason.OWNER),
        (0, [ROOT, folder("/home", 0o1777, ANN), file("/home/s")], Reason.OWNER),
        # A link can be replaced by who may write to its folder; whose it is, counts where it is sticky.
        (0, [ROOT, folder("/etc"), link("/etc/l", ANN), file("/etc/s")], None),
        (0, [ROOT, TMP, link("/tmp/l", ANN), ROOT, file("/s")], Reason.OWNER),
        (0, [ROOT, TMP, link("/tmp/l"), ROOT, file("/s")], None),
        # Others trust what not all can change, whosever it is.
        (ANN, [ROOT, folder("/srv", 0o775, BOB), file("/srv/s", 0o664, BOB)], None),
        (ANN, [ROOT, folder("/srv"), file("/srv/s", 0o646, ANN)], Reason.ALL_WRITE),
        (ANN, [ROOT, folder("/config", 0o777), file("/config/s")], None),
        (ANN, [ROOT, TMP, file("/tmp/s", uid=ANN)], None),
        (ANN, [ROOT, TMP, file("/tmp/s")], None),
        (ANN, [ROOT, TMP, file("/tmp/s", uid=BOB)], Reason.OWNER),
        (ANN, [ROOT, TMP, link("/tmp/s", BOB), ROOT, file("/s")], Reason.OWNER),
        (ANN, [ROOT, folder("/t", 0o1777, BOB), file("/t/s", uid=BOB)], None),
    ],
)
def test_each_step_is_judged(reader, way, reason):
    found = distrusted(way, reader)
    assert (found and found.reason) is reason


RUN = folder("/run")


@pytest.mark.parametrize(
    ("way", "step", "reason"),
    [
        ([ROOT, RUN, folder("/run/a", 0o700, ANN)], None, None),
        ([ROOT, RUN, folder("/run/a", 0o700)], None, None),
        # In a sticky folder, each entry is root's or the reader's own.
        ([ROOT, TMP, folder("/tmp/a", 0o700, ANN)], None, None),
        ([ROOT, TMP, folder("/tmp/a", 0o700, BOB)], "/tmp/a", Reason.OWNER),
        ([ROOT, TMP, link("/tmp/l", BOB), ROOT, RUN], "/tmp/l", Reason.OWNER),
        ([ROOT, TMP, link("/tmp/l", ANN), ROOT, RUN], None, None),
        # Only the last folder may be another's, and only where root alone could have given it to them.
        ([ROOT, RUN, folder("/run/squids"), folder("/run/squids/s", uid=BOB)], None, None),
        ([ROOT, RUN, folder("/run/b", uid=BOB), folder("/run/b/s", uid=BOB)], "/run/b", Reason.OWNER),
        ([ROOT, folder("/g", 0o1775), folder("/g/s", uid=BOB)], "/g/s", Reason.OWNER),
        ([ROOT, folder("/a", uid=ANN), folder("/a/s", uid=BOB)], "/a/s", Reason.OWNER),
        # Nobody else can write to a folder, and the last one may not even be sticky.
        ([ROOT, folder("/w", 0o777), folder("/w/a", 0o700, ANN)], "/w", Reason.ALL_WRITE),
        ([ROOT, folder("/w", 0o775), folder("/w/a", 0o700, ANN)], "/w", Reason.GROUP_WRITES),
        ([ROOT, TMP], "/tmp", Reason.ALL_WRITE),
        ([ROOT, RUN, folder("/run/a", 0o770, ANN)], "/run/a", Reason.GROUP_WRITES),
    ],
)
def test_a_place_of_a_supervisor_is_judged(way, step, reason):
    found = distrusted_place(way, ANN)
    assert (found and (found.step.path, found.reason)) == (step and (step, reason))


@pytest.mark.parametrize(
    ("way", "followed"),
    [
        ((link("l"), ROOT), True),
        ((link("l"), TMP), True),
        ((link("l", ANN), ROOT), False),
        ((link("l", ANN), TMP), False),
        ((link("l"), folder("/srv", uid=ANN)), False),
        ((link("l"), folder("/srv", 0o775)), False),
        ((link("l"), folder("/srv", 0o757)), False),
    ],
)
def test_root_follows_its_own_links_to_a_log_file(way, followed):
    assert leads_root(*way) is followed


def test_folders_in_which_all_may_replace_a_file_are_known():
    way = [ROOT, TMP, folder("/tmp/x", 0o777), file("/tmp/x/s", 0o666)]
    assert [step.path for step in open_folders(way)] == ["/tmp/x"]


def test_a_way_goes_by_each_folder_and_link(tmp_path):
    """Those of a link's target, too; each thing comes after the folder that it is in."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_text("x")
    (tmp_path / "l").symlink_to("a/../a/b")
    (tmp_path / "m").symlink_to(tmp_path / "l" / "file")
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "up").symlink_to("../m")
    steps = [step.path for step in steps_to(str(tmp_path / "x" / "up"))]
    here = str(tmp_path)
    below = [path.removeprefix(here) for path in steps if path.startswith(here)]
    assert below[:3] == ["", "/x", "/x/up"]
    assert [path for path in below if path][2:] == ["/m", "/l", "/a", "/a", "/a/b", "/a/b/file"]
    folders = set()
    for step in steps_to(str(tmp_path / "x" / "up")):
        assert step.path == "/" or os.path.dirname(step.path) in folders
        if stat.S_ISDIR(step.mode):
            folders.add(step.path)


def test_links_in_a_circle_end(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="Too many levels"):
        steps_to(str(tmp_path / "a"))


def test_a_file_is_read_up_to_its_bound(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"x" * 100_000)
    assert read_plain(str(path), 100_000)[0] == b"x" * 100_000
    with pytest.raises(NotPlain, match="over 99999 bytes"):
        read_plain(str(path), 99_999)


def test_a_file_that_grows_as_it_is_read_ends(tmp_path):
    """Its size says 0, as of most in /proc."""
    data, opened = read_plain("/proc/self/status", 1 << 20)
    assert data.startswith(b"Name:")
    assert stat.S_ISREG(opened.mode)
    with pytest.raises(NotPlain, match="over 10 bytes"):
        read_plain("/proc/self/status", 10)


def test_a_fifo_that_took_the_place_of_a_file_holds_up_nobody(tmp_path, monkeypatch):
    """Between the look and the opening."""
    os.mkfifo(tmp_path / "f")
    regular = os.stat(__file__)
    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", lambda path: regular)
        with pytest.raises(NotPlain, match="a FIFO"):
            read_plain(str(tmp_path / "f"), 10)
