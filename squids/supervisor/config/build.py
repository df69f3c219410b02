"""Builds settings from a configuration file, or reports all its problems at once.

`text` reads the file, and `rules` defines what it may contain. Here the parts are merged and checked across
keys and against the system, and each problem gets its location.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from squids.app_path import AppPath
from squids.hints import count
from squids.process.cpus import usable_cpus
from squids.queues import QueueRef
from squids.supervisor.capacity import descriptors_in_consumer
from squids.supervisor.config.document import Document, Path, Problem
from squids.supervisor.config.environment import Environments, Variables
from squids.supervisor.config.log_config import LogConfigs
from squids.supervisor.config.paths import (
    wrong_directory,
    wrong_interpreter,
    wrong_log_file,
    wrong_socket,
)
from squids.supervisor.config.permissions import (
    code_warnings,
    distrusted_file,
    find_group,
    find_user,
    no_distrust,
    open_folder_warnings,
    secret_problems,
    secret_warnings,
)
from squids.supervisor.config.rules import (
    CONSUMER_OPTIONS,
    FileRules,
    GroundRules,
    MaxRestartsRules,
    QueueRules,
    ReloadRules,
    SupervisorRules,
)
from squids.supervisor.config.scalars import shown
from squids.supervisor.config.text import read_text, shown_path
from squids.supervisor.config.valid_parts import valid_rules
from squids.supervisor.control.protocol import MAX_PATH, default_socket
from squids.supervisor.settings import (
    AppSpec,
    BackoffSettings,
    ExitOn,
    LogFile,
    MaxRestarts,
    ProgramSettings,
    ReloadSettings,
    RestartWhen,
    Settings,
    SupervisorSettings,
)


def read(path: str, environ: Mapping[str, str], *, trusting: bool = False) -> Settings | list[Problem]:
    """Return the settings of a file, or all problems in order of location. Never raises.

    `trusting`: accept files that other users can write to.
    """
    text = read_text(path, environ) if trusting else read_text(path, environ, distrusted_file)
    problems = list(text.problems)
    rules = None
    if text.files and text.locations:
        rules = valid_rules(text, problems)
    settings = None
    if rules is not None:
        mistakes = frozenset(problem.path for problem in problems)
        settings = _Builder(text, problems, trusting, mistakes, environ).settings(rules)
    if settings is None or problems:
        order = {shown_path(file): number for number, file in enumerate(text.files)}
        problems.sort(
            key=lambda p: (order.get(p.location.file, len(order)), p.location.line, p.location.column)
        )
        return list(dict.fromkeys(problems))
    return settings


@dataclass(slots=True)
class _Builder:
    """Builds settings from valid rules."""

    text: Document
    problems: list[Problem]
    trusting: bool
    mistakes: frozenset[Path]
    """The paths of what is wrong already. What is wrong because of that is not reported."""
    environ: Mapping[str, str]
    around: set[Path] = field(init=False)
    """These, and each that has one of them below it."""
    log_configs: LogConfigs = field(init=False)

    def __post_init__(self) -> None:
        self.around = {path[:depth] for path in self.mistakes for depth in range(len(path) + 1)}
        distrusted = no_distrust if self.trusting else distrusted_file
        self.log_configs = LogConfigs(self.text, distrusted, self._full, self.problems)

    def settings(self, rules: FileRules) -> Settings:
        self.problems.extend(secret_problems(self.text))
        programs: list[ProgramSettings] = []
        environments = Environments(
            self.text, rules, self.environ, self.log_configs.distrusted, self._full, self.problems
        )
        # A mistake of no key is of a file that was not read, or not to its end: the queues may be there.
        if not rules.queues and () not in self.mistakes and ("include",) not in self.around:
            self._wrong(("queues",), "no queues defined")
        for key, queue in rules.queues.items():
            if not key.strip() or not key.isprintable() or re.search(r"/\d+$", key):
                words = f"{shown(key)} is not a valid name: choose another and set queue: to the SQS name"
                self._wrong(("queues", key), words)
            programs.extend(self._programs(rules, key, queue, environments))
        names: dict[str, str] = {}
        for program in programs:
            if program.name in names:
                self._wrong(
                    ("queues", program.key), f"its name {program.name} is also one of {names[program.name]}"
                )
            names[program.name] = program.key
        supervisor = self._supervisor(rules.supervisor)
        return Settings(
            supervisor,
            tuple(programs),
            (*self.text.files, *environments.files, *self.log_configs.files),
            self._warnings(programs),
            self._reload(rules.reload),
            tuple(dict.fromkeys(self.text.directories)),
        )

    def _warnings(self, programs: list[ProgramSettings]) -> tuple[str, ...]:
        found = secret_warnings(self.text)
        if not self.trusting:
            found += open_folder_warnings(self.text)
            of_code: dict[str, Problem] = {}  # One per directory, however many queues run code from it.
            for program in programs:
                for warning in code_warnings(
                    program.app_spec, self.text.location(("queues", program.key), key=True)
                ):
                    of_code.setdefault(warning.text, warning)
            found += of_code.values()
        return tuple(str(warning) for warning in found)

    def _wrong(self, path: Path, words: str) -> None:
        """Report a mistake, unless it follows from one in the same value. That of a whole queue does not."""
        if path not in self.around or (len(path) == 2 and path[0] == "queues"):
            self.problems.append(Problem(self.text.location(path), path, words))

    def _is_wrong(self, path: Path, *names: str) -> bool:
        """Whether one of these keys is wrong already, for this queue or for all."""
        return ("defaults",) in self.mistakes or any(
            (*where, name) in self.around for where in ((), ("defaults",), path) for name in names
        )

    def _programs(
        self, rules: FileRules, key: str, queue: QueueRules, environments: Environments
    ) -> list[ProgramSettings]:
        path: Path = ("queues", key)
        given: dict[str, Any] = {}
        paths: dict[str, Path] = {}
        for source, where in ((rules, ()), (rules.defaults, ("defaults",)), (queue, path)):
            for name in source.model_fields_set:
                if where or name in GroundRules.model_fields:
                    given[name] = getattr(source, name)
                    paths[name] = (*where, name)
        every = {name: field.get_default() for name, field in QueueRules.model_fields.items()} | given
        options = {
            option.name: given[option.name]
            for option in CONSUMER_OPTIONS
            if option.name in given and option.name != "preload"
        }
        options["queue"] = every["queue"] or key
        environment = environments.of(queue, path)
        sqs_queue = environments.sqs_queue(options["queue"], environment)
        self._check_queue(sqs_queue, paths.get("queue"), path)
        self._check_retries(every, paths, path)
        self._check_open_files(every, paths, path)
        consumers = every["consumers"]
        app_spec = self._app_spec(every, paths, path, environment)
        return [
            ProgramSettings(
                name=key if consumers == 1 else f"{key}:{number}",
                key=key,
                app_spec=app_spec,
                options=tuple(sorted(options.items())),
                autostart=every["autostart"],
                priority=every["priority"],
                restart=RestartWhen(every["restart"]),
                start_timeout=every["start_timeout"],
                healthy_after=every["healthy_after"],
                heartbeat_timeout=every["heartbeat_timeout"],
                backoff=BackoffSettings(
                    every["backoff"].first, every["backoff"].max, every["backoff"].jitter
                ),
                max_restarts=_max_restarts(every["max_restarts"]),
                essential=every["essential"],
                log_file=self._log_file(every["log_file"], paths.get("log_file", path)),
                log_level=every["log_level"],
                nice=self._nice(every["nice"], paths.get("nice", path)),
                limits=tuple(sorted(every["limits"].items())),
                sqs_queue=sqs_queue if sqs_queue and sqs_queue != options["queue"] else "",
            )
            for number in range(1, consumers + 1)
        ]

    def _app_spec(
        self, every: dict[str, Any], paths: dict[str, Path], path: Path, environment: Variables
    ) -> AppSpec:
        if every["app"] is None:
            if not self._is_wrong(path, "app"):
                self._wrong(path, "has no app: name one here, under defaults or at the top")
        else:
            try:
                AppPath.parse(every["app"])
            except ValueError as error:
                self._wrong(paths["app"], str(error))
        directory = self._directory(every["directory"], paths.get("directory", ()))
        python = self._python(every["python"], paths.get("python", path), environment.get("PATH"))
        self._check_user(every, paths)
        return AppSpec(
            app=every["app"] or "",
            directory=directory,
            environment=tuple(sorted(environment.items())),
            python=python,
            user=every["user"],
            group=every["group"],
            umask=every["umask"],
            preload=every["preload"],
            logging=self.log_configs.of(every["logging"], paths.get("logging", path)),
        )

    # Checks against the system.

    def _relative_to(self, path: Path) -> str:
        """Return the directory of the file that has this path."""
        shown_file = self.text.location(path).file
        for file in self.text.files:
            if shown_path(file) == shown_file:
                return os.path.dirname(file)
        return os.path.dirname(self.text.files[0])

    def _full(self, value: str, path: Path) -> str:
        # Not resolved: a link that a deployment moves must stay a link.
        return os.path.abspath(os.path.join(self._relative_to(path), os.path.expanduser(value)))

    def _directory(self, value: str | None, path: Path) -> str:
        if value is None:
            return os.path.dirname(self.text.files[0])
        full = self._full(value, path)
        self._check(path, wrong_directory(full))
        return full

    def _check(self, path: Path, why: str | None) -> None:
        if why is not None:
            self._wrong(path, why)

    def _python(self, value: str | None, path: Path, search: str | None) -> str | None:
        if value is None:
            return None
        if "/" not in value:
            if shutil.which(value, path=search) is None:
                self._wrong(path, f"interpreter {value} is not on PATH")
            return value
        full = self._full(value, path)
        self._check(path, wrong_interpreter(full))
        return full

    def _log_file(self, value: Any, path: Path) -> LogFile | None:
        if value is None:
            return None
        full = self._full(value.path, path)
        self._check(path, wrong_log_file(full))
        return LogFile(full, value.max_size, value.backups)

    def _check_queue(self, queue: str | None, where: Path | None, path: Path) -> None:
        try:
            if queue is not None:
                QueueRef.parse(queue)
        except ValueError as error:
            if not self._is_wrong(path, "queue"):
                self._wrong(where or path, str(error))

    def _check_retries(self, every: dict[str, Any], paths: dict[str, Path], path: Path) -> None:
        delays = ("retry_max_delay", "retry_delay")
        if every["retry_max_delay"] < every["retry_delay"] and not self._is_wrong(path, *delays):
            where = paths.get("retry_max_delay") or paths.get("retry_delay") or path
            self._wrong(where, "retry_max_delay is less than retry_delay")
        if every["backoff"].max < every["backoff"].first and not self._is_wrong(path, "backoff"):
            self._wrong(paths.get("backoff", path), "max is less than first")

    def _check_open_files(self, every: dict[str, Any], paths: dict[str, Path], path: Path) -> None:
        workers = every["workers"] or usable_cpus()
        most, needed = every["limits"].get("nofile"), descriptors_in_consumer(workers)
        if most is not None and most < needed and not self._is_wrong(path, "workers"):
            words = f"{most} is too few for a consumer with {count(workers, 'worker')}: {needed} or more"
            self._wrong((*paths.get("limits", path), "nofile"), words)

    def _check_user(self, every: dict[str, Any], paths: dict[str, Path]) -> None:
        for name, look in (("user", find_user), ("group", find_group)):
            value = every[name]
            if value is None:
                continue
            if os.geteuid() != 0:
                self._wrong(paths[name], f"only root can start processes as another {name}")
            elif not look(value):
                self._wrong(paths[name], f"{name} {value} does not exist")

    def _nice(self, value: int, path: Path) -> int:
        if value < 0 and os.geteuid() != 0:
            self._wrong(path, "only root can raise a priority")
        return value

    def _reload(self, rules: ReloadRules) -> ReloadSettings:
        paths = []
        for number, value in enumerate(rules.paths):
            path: Path = ("reload", "paths", number)
            full = self._full(value, path)
            if not os.path.exists(full):
                self._wrong(path, f"{full} does not exist")
            paths.append(full)
        return ReloadSettings(
            enabled=rules.enabled,
            paths=tuple(paths),
            include=tuple(rules.include),
            exclude=tuple(rules.exclude),
            delay=rules.delay,
            kill_after=rules.kill_after,
            polling=None if rules.polling == "auto" else rules.polling,
        )

    def _supervisor(self, rules: SupervisorRules) -> SupervisorSettings:
        path: Path = ("supervisor", "socket")
        socket = self._full(rules.socket, path) if rules.socket is not None else None
        if len(os.fsencode(socket or default_socket(self.text.files[0]))) > MAX_PATH:
            self._wrong(path, f"a socket's path has at most {MAX_PATH} bytes")
        if socket is not None:
            self._check(path, wrong_socket(socket))
        if rules.socket_group is not None and not find_group(rules.socket_group):
            self._wrong(("supervisor", "socket_group"), f"group {rules.socket_group} does not exist")
        return SupervisorSettings(
            log_format=rules.log_format,
            log_jobs=rules.log_jobs,
            log_level=rules.log_level,
            socket=socket,
            socket_mode=rules.socket_mode,
            socket_group=rules.socket_group,
            exit_on=ExitOn(rules.exit_on),
            max_workers=rules.max_workers,
        )


def _max_restarts(rules: MaxRestartsRules | None) -> MaxRestarts | None:
    return None if rules is None else MaxRestarts(rules.count, rules.window)
