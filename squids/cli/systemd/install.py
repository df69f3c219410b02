"""Writes units, shows what changes, and removes them. `units` has their contents."""

from __future__ import annotations

import argparse
import contextlib
import difflib
import grp
import os
import pwd
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from squids.cli.systemd.units import (
    SUPERVISOR,
    SYSTEM,
    Installation,
    files,
    installed_as,
    is_ours,
    misread,
    variables_file,
)
from squids.cli.systemd.variables import parse
from squids.exit_codes import ExitCode
from squids.hints import count
from squids.supervisor.config.build import read
from squids.supervisor.control.protocol import SYSTEM_CONFIG
from squids.supervisor.plain_files import read_plain

INSTANCE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]*")
"""Characters that are valid in the names of a unit and a file, and have no special meaning to systemd."""


MAX_BYTES = 1 << 20
"""The limit of a unit, and of a file of variables."""


OURS = (
    "squids-supervisor.service",
    "squids-supervisor@*.service",
    "squids@.service",
    "squids-supervisor@*.service.d/stop-timeout.conf",
    "squids.conf",
)
"""Files that `install` writes, in any directory."""


class CannotInstall(Exception):
    """The units cannot be written, for this reason."""


def run(arguments: argparse.Namespace) -> int:
    """Run `systemd install`, `uninstall` or `print`; return the exit code."""
    try:
        if arguments.action == "uninstall":
            return _uninstall(user_mode=arguments.user_mode, dry_run=arguments.dry_run)
        installation = _installation(arguments)
        if arguments.action == "print":
            for path, text in files(installation).items():
                print(f"# {path}\n{text}")
            return ExitCode.OK
        return _install(installation, dry_run=arguments.dry_run)
    except CannotInstall as error:
        print(f"squids-supervisor: {error}", file=sys.stderr)
        return ExitCode.FAILURE
    except PermissionError as error:
        print(f"squids-supervisor: {error.filename}: {error.strerror}: are you root?", file=sys.stderr)
        return ExitCode.FAILURE
    except BrokenPipeError:
        raise  # The command handles it: the reader has seen enough.
    except OSError as error:
        print(f"squids-supervisor: {error.filename or 'cannot write'}: {error.strerror}", file=sys.stderr)
        return ExitCode.FAILURE


def _installation(arguments: argparse.Namespace) -> Installation:
    """Build an installation from the arguments, and from an existing installation."""
    home = None
    given = arguments.unit_config or arguments.config
    config = os.path.abspath(given) if given else None
    if arguments.instance is not None and not INSTANCE.fullmatch(arguments.instance):
        raise CannotInstall(
            f"{arguments.instance!r} is not a valid instance name: use letters, digits and, within, _.:-"
        )
    before = None
    if arguments.action == "install" and not arguments.user_mode:
        before = installed_as(_read(SUPERVISOR) or "")
    plain = before.config if before is not None else f"{SYSTEM_CONFIG}/squids.yaml"
    if arguments.user_mode:
        if arguments.user:
            raise CannotInstall("--user: units of --user-mode run as their owner")
        base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
        home = f"{base}/systemd/user"
        name = arguments.instance or "squids"
        config = config or f"{base}/squids/{name}.yaml"
    else:
        config = config or (f"{SYSTEM_CONFIG}/{arguments.instance}.yaml" if arguments.instance else plain)
        _refuse_other_places(config, arguments.instance)
    user = arguments.user or (before.user if before is not None else "squids")
    installation = Installation(
        bin=_commands(),
        config=config,
        user=user,
        group=_group_of(user),
        instance=arguments.instance,
        plain_config=plain,
        home=home,
    )
    if (problem := misread(installation)) is not None:
        raise CannotInstall(problem)
    return replace(
        installation,
        longest_drain=_longest_drain(config),
        plain_drain=_longest_drain(plain) if arguments.instance and not arguments.user_mode else None,
    )


def _refuse_other_places(config: str, instance: str | None) -> None:
    """Reject a file outside /etc/squids, because only its socket is in /run/squids."""
    directory, name = os.path.split(config)
    if directory != SYSTEM_CONFIG:
        raise CannotInstall(
            f"a service's file must be in {SYSTEM_CONFIG}, so that its socket is found in /run/squids: "
            f"move it, or link it (ln -s {config} {SYSTEM_CONFIG}/)"
        )
    if instance is not None and name != f"{instance}.yaml":
        raise CannotInstall(
            f"the file of the instance {instance} is {SYSTEM_CONFIG}/{instance}.yaml, not {config}"
        )


def _commands() -> str:
    """Return the directory of squids-supervisor, derived from the path of this call.

    Links to the command itself are followed; those on the way to it, such as `current`, are kept.
    """
    path = os.path.abspath(shutil.which(sys.argv[0]) or sys.argv[0])
    while os.path.islink(path):
        path = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path)))
    directory = os.path.dirname(path)
    if not os.access(os.path.join(directory, "squids-supervisor"), os.X_OK):
        directory = os.path.join(sys.prefix, "bin")
    return directory


def _group_of(user: str) -> str:
    try:
        return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name
    except KeyError:
        return user


def _longest_drain(config: str) -> float | None:
    if not os.path.exists(config):
        return None
    # Trusting, because none of its apps is run here, and the service checks for itself.
    settings = read(config, {**os.environ, **_variables_of(config)}, trusting=True)
    if isinstance(settings, list):
        print(
            f"{config} has mistakes, so its timeouts are not known yet: run `squids-supervisor check`",
            file=sys.stderr,
        )
        return None
    return settings.longest_drain


def _variables_of(config: str) -> dict[str, str]:
    """Return the variables that the service will get; none if only root may read them."""
    try:
        return parse(_read(variables_file(config)) or "")
    except PermissionError:
        return {}


def _install(installation: Installation, *, dry_run: bool) -> int:
    if installation.home is None and installation.user != "squids" and not _exists(installation.user):
        raise CannotInstall(f"user {installation.user} does not exist")
    changed = []
    for path, text in files(installation).items():
        old = _read(path)
        if old is not None and not is_ours(old):
            raise CannotInstall(f"{path} exists and was not written by this command; move it away first")
        if old == text:
            continue
        changed.append(path)
        _show(path, old or "", text)
    if not dry_run:
        for path, text in files(installation).items():
            if path in changed:
                _write(path, text)
    if not changed:
        print("all units are up to date")
    elif dry_run:
        print(f"would write {count(len(changed), 'file')}")
        return ExitCode.OK
    else:
        print(f"written: {', '.join(changed)}")
    if not _apply_to_system(installation):
        return ExitCode.FAILURE
    _print_next_steps(installation)
    return ExitCode.OK


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _read(path: str) -> str | None:
    try:
        return read_plain(path, MAX_BYTES)[0].decode(errors="replace")
    except FileNotFoundError:
        return None


def _show(path: str, old: str, new: str) -> None:
    name = path if old else "/dev/null"
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), name, path, lineterm="")
    print("\n".join(lines))


def _write(path: str, text: str) -> None:
    """Write atomically, so that no reader sees a partial file."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    temporary = f"{path}.squids-new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)  # Left by a killed installation, or another user's link or FIFO.
    with open(temporary, "x", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o644)
        file.write(text)
    os.replace(temporary, path)


def _apply_to_system(installation: Installation) -> bool:
    """Create the user and directories, and reload the units; return whether that succeeded."""
    if installation.home is not None:
        return _systemctl("--user", "daemon-reload")
    made = installation.user != "squids" or _call("systemd-sysusers", "squids.conf")
    return made and _call("systemd-tmpfiles", "--create", "squids.conf") and _systemctl("daemon-reload")


def _print_next_steps(installation: Installation) -> None:
    user = " --user" if installation.home is not None else ""
    if not os.path.exists(installation.config):
        print(
            f"next: write {installation.config}, and check it: "
            f"{installation.bin}/squids-supervisor -c {installation.config} check"
        )
    print(f"next: systemctl{user} enable --now {installation.unit}")
    if installation.home is not None:
        print(f"to keep it running while you are logged out, as root: loginctl enable-linger {os.getuid()}")
    homes = [
        path for path in (installation.bin, installation.config) if path.startswith(("/home/", "/root/"))
    ]
    if installation.home is None and homes:
        print(f"warning: the service cannot see {', '.join(homes)} (ProtectHome=yes)", file=sys.stderr)


def _uninstall(*, user_mode: bool, dry_run: bool) -> int:
    """Stop and disable the units, and remove the files that this command wrote."""
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    directories = [f"{base}/systemd/user"] if user_mode else [SYSTEM, "/etc/sysusers.d", "/etc/tmpfiles.d"]
    found = [path for directory in directories for path in _ours(Path(directory))]
    if not found:
        print("nothing to uninstall")
        return ExitCode.OK
    for path in found:
        print(f"{'would remove' if dry_run else 'removing'} {path}")
    if dry_run:
        return ExitCode.OK
    manager = ["--user"] if user_mode else []
    units = [path.name for path in found if path.suffix == ".service"]
    if units:
        _systemctl(*manager, "stop", *(unit.replace("@.", "@*.") for unit in units))
        _call("systemctl", *manager, "disable", *units)  # For a template, all its instances.
    for path in found:
        path.unlink()
        if path.parent.name.endswith(".service.d") and not any(path.parent.iterdir()):
            path.parent.rmdir()
    _systemctl(*manager, "daemon-reload")
    if not user_mode:
        print("kept: /etc/squids, /var/lib/squids, /var/log/squids, and the user that owns them")
    return ExitCode.OK


def _ours(directory: Path) -> list[Path]:
    """Return the files that `install` wrote there.

    Their names match and they have the mark. Copies, links and others' drop-ins are kept.
    """
    candidates = [path for pattern in OURS for path in directory.glob(pattern)]
    plain = [path for path in candidates if path.is_file() and not path.is_symlink()]
    return sorted(path for path in plain if is_ours(_read(str(path)) or ""))


def _systemctl(*arguments: str) -> bool:
    if shutil.which("systemctl") is None or not os.path.isdir("/run/systemd/system"):
        return True  # While an image is built, systemd is not running; it reads the units when it starts.
    return _call("systemctl", *arguments)


def _call(*command: str) -> bool:
    """Run a command, and print why if it fails; return whether it succeeded."""
    if shutil.which(command[0]) is None:
        return True  # Other systems create users and directories in their own way.
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"squids-supervisor: {' '.join(command)}: {done.stderr.strip()}", file=sys.stderr)
    return done.returncode == 0
