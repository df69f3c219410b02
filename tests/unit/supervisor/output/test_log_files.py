"""The files of `log_file`: what is written, rotated, and refused."""

from __future__ import annotations

import os
import stat

import pytest

from squids.supervisor.output.log_files import LogWriter
from squids.supervisor.settings import AppSpec, LogFile

NOBODY = 65534

as_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root has rights that others could turn against it"
)


def app_spec(user: str | None = None) -> AppSpec:
    return AppSpec("shop:app", "/srv", user=user)


def write(path, *texts, user=None, size=0, backups=5):
    writer = LogWriter(LogFile(str(path), size, backups), app_spec(user))
    writer.write(list(texts))
    writer._close()


def refused(path, **options) -> str:
    with pytest.raises(PermissionError) as caught:
        write(path, "mine", **options)
    return str(caught.value.strerror)


@pytest.fixture
def folder(tmp_path):
    """A folder of the service's user, in a place that only root can change."""
    for part in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        part.chmod(0o755)
    made = tmp_path / "logs"
    made.mkdir()
    if os.geteuid() == 0:
        os.chown(made, NOBODY, NOBODY)
    return made


def test_lines_are_appended_to_what_is_there(folder):
    """A new file is for its owner, and to be read by its group."""
    before = os.umask(0o022)
    try:
        write(folder / "a.log", "one", "two \ud800")
    finally:
        os.umask(before)
    write(folder / "a.log", "three")
    assert (folder / "a.log").read_text() == "one\ntwo ?\nthree\n"
    assert stat.S_IMODE((folder / "a.log").stat().st_mode) == 0o640


@as_root
def test_a_new_file_belongs_to_the_programs_group(folder):
    """Its user may read what its program said, and not change it."""
    write(folder / "a.log", "one", user="nobody")
    status = (folder / "a.log").stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (0, NOBODY, 0o640)


def test_a_file_is_rotated_before_it_is_too_large(folder):
    """The newest is .1; no more are kept than were asked for."""
    writer = LogWriter(LogFile(str(folder / "a.log"), 100, 2), app_spec())
    writer.write([str(number) * 40 for number in range(8)])
    names = {path.name: path.read_text()[0] for path in folder.iterdir()}
    assert names == {"a.log": "6", "a.log.1": "4", "a.log.2": "2"}
    writer._close()


def test_a_file_that_was_moved_away_is_opened_anew(folder):
    """SIGUSR2, or another size in the file."""
    file = LogFile(str(folder / "a.log"))
    writer = LogWriter(file, app_spec())
    writer.write(["one"])
    (folder / "a.log").rename(folder / "old.log")
    writer.write(["two"])
    writer.reopen()
    writer.write(["three"])
    assert (folder / "old.log").read_text() == "one\ntwo\n"
    assert (folder / "a.log").read_text() == "three\n"
    writer._close()


@pytest.mark.parametrize("user", [None, "nobody"])
def test_a_link_is_refused(folder, tmp_path, user):
    """Whoever may write to the folder may have made it."""
    target = tmp_path / "target"
    target.write_text("root's\n")
    (folder / "a.log").symlink_to(target)
    assert "it is a link" in refused(folder / "a.log", user=user if os.geteuid() == 0 else None)
    (folder / "b.log").symlink_to(tmp_path / "missing")
    assert "it is a link" in refused(folder / "b.log")
    assert target.read_text() == "root's\n"
    assert not (tmp_path / "missing").exists()


@pytest.mark.parametrize("kind", ["fifo", "folder"])
def test_what_is_no_file_is_refused(folder, kind):
    """And holds nobody up."""
    path = folder / "a.log"
    if kind == "fifo":
        os.mkfifo(path)
        assert refused(path) == "it is not a regular file"
    else:
        path.mkdir()
        with pytest.raises(OSError, match="directory"):
            write(path, "x")


@as_root
def test_a_second_name_of_a_file_of_root_is_refused(folder, tmp_path):
    """A hard link; not every system forbids others to make one."""
    target = tmp_path / "target"
    target.write_text("root's\n")
    os.link(target, folder / "a.log")
    assert "more than one name" in refused(folder / "a.log", user="nobody")
    assert target.read_text() == "root's\n"


@as_root
def test_a_file_of_somebody_else_is_refused_with_whose_it_is(folder):
    """That of the program's user is not: what its program says is its own."""
    path = folder / "a.log"
    path.write_text("")
    os.chown(path, 12345, 12345)
    assert refused(path, user="nobody") == "it belongs to uid 12345, not to root or nobody: change its owner"
    assert refused(path) == "it belongs to uid 12345, not to root: change its owner"
    os.chown(path, NOBODY, NOBODY)
    write(path, "one", user="nobody")
    assert path.read_text() == "one\n"


@as_root
def test_a_link_on_the_way_counts_only_if_it_is_roots(folder, tmp_path):
    """`/var/log` may be a link of the system's; a folder of the user's that becomes one is refused, for a rotation
    too."""
    (tmp_path / "link").symlink_to("logs")
    write(tmp_path / "link" / "a.log", "one", user="nobody")
    assert (folder / "a.log").read_text() == "one\n"
    (folder / "sub").mkdir()
    writer = LogWriter(LogFile(str(folder / "sub" / "a.log"), 10, 2), app_spec("nobody"))
    writer.write(["one"])
    (folder / "sub").rename(folder / "gone")
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "a.log").write_text("root's\n")
    (folder / "sub").symlink_to(secret)
    os.chown(folder / "sub", NOBODY, NOBODY, follow_symlinks=False)
    with pytest.raises(PermissionError) as caught:
        writer.write(["a long line, for a rotation"])
    assert "is a link of nobody that others can change" in caught.value.strerror
    os.chown(folder / "sub", 0, 0, follow_symlinks=False)  # Root's, but others could have moved it here.
    assert "others can change" in refused(folder / "sub" / "a.log", user="nobody")
    assert sorted(path.name for path in secret.iterdir()) == ["a.log"]
    assert (secret / "a.log").read_text() == "root's\n"


@as_root
def test_links_that_lead_to_each_other_end(tmp_path):
    """ELOOP, as the kernel says it."""
    for part in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        part.chmod(0o755)
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="Too many levels"):
        write(tmp_path / "a" / "x.log", "one")


def test_a_device_is_written_to(folder):
    """/dev/null, for what nobody wants."""
    write("/dev/null", "one")
    with pytest.raises(OSError, match="No space left"):
        write("/dev/full", "one")
