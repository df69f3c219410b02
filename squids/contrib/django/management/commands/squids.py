"""`manage.py squids`: the command `squids`, for the app of this project.

It replaces this process, so that nothing of manage.py, neither threads nor connections, is in a consumer. The
settings module and the search path of this process go with it, as its environment.
"""

from __future__ import annotations

import os
import site
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from squids.cli import check
from squids.cli.consume import add_options, arguments_of
from squids.contrib.django.project_settings import app_path
from squids.exit_codes import ExitCode
from squids.supervisor.settings import AppSpec

PROGRAM = "import sys; from squids.cli.start import squids; sys.exit(squids())"

IMPORT_SECONDS = 60.0
"""How long the import may take in a check."""

NO_APP = 'name the app in the settings, as in SQUIDS_APP = "shop.squids_app:app", or with --app'

NO_QUEUE = "name the queue with --queue; manage.py squids check lists those of the tasks"


class Command(BaseCommand):
    """Runs one queue, or checks all."""

    help = (
        "Run the tasks of one SQS queue in a pool of worker processes, as the command squids does; "
        "or, with check, show whether the app can be imported and has tasks for its queues."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the options of `squids`; the setting SQUIDS_APP is the default of `--app`."""
        parser.add_argument("action", nargs="?", choices=["run", "check"], default="run", help="Default: run")
        add_options(parser, optional=("app", "queue"))
        parser.set_defaults(app=app_path())
        parser.add_argument("--aws", action="store_true", help="With check: ask SQS about the queues, too")

    def handle(self, *args: Any, **options: Any) -> None:
        """Become `squids`, or check."""
        if options["app"] is None:
            raise CommandError(NO_APP, returncode=ExitCode.CONFIG)
        environment = {**os.environ, **search_path(os.environ)}
        if options["action"] == "check":
            os.environ.update(environment)
            self._check(options["app"], options["queue"], options["aws"])
            return
        if options["queue"] is None:
            raise CommandError(NO_QUEUE, returncode=ExitCode.USAGE)
        connections.close_all()
        self.stdout.flush()
        self.stderr.flush()
        flags = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # As multiprocessing.
        command = [sys.executable, *flags, "-P", "-c", PROGRAM, *arguments_of(options)]
        os.execve(sys.executable, command, environment)  # noqa: S606 (it is this interpreter)

    def _check(self, app: str, queue: str | None, aws: bool) -> None:
        app_spec = AppSpec(app=app, directory=os.getcwd())
        text, ok = check.check_app(app_spec, queue, aws=aws, timeout=IMPORT_SECONDS)
        if not ok:
            raise CommandError(text, returncode=ExitCode.CONFIG)
        self.stdout.write(text)


def search_path(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variable with the folders that a fresh interpreter would not search, if there are any.

    Those of manage.py and `--pythonpath`. The working directory is searched anyhow.
    """
    known = {os.path.realpath(path) for path in _of_each_interpreter()} | {os.getcwd()}
    known |= {os.path.realpath(path) for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path}
    added = [os.path.abspath(path) for path in sys.path if path and os.path.realpath(path) not in known]
    if not added:
        return {}
    return {"PYTHONPATH": os.pathsep.join(filter(None, [*added, environment.get("PYTHONPATH")]))}


def _of_each_interpreter() -> list[str]:
    stdlib = sysconfig.get_path("stdlib")
    archive = os.path.join(
        sys.base_prefix, sys.platlibdir, f"python{sys.version_info[0]}{sys.version_info[1]}.zip"
    )
    return [
        stdlib,
        sysconfig.get_path("platstdlib"),
        os.path.join(stdlib, "lib-dynload"),
        archive,
        *site.getsitepackages(),
        site.getusersitepackages(),
    ]
