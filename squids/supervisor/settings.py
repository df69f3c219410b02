"""The settings of a configuration file: plain values, validated, merged, with all defaults filled in. Pure.

Values only: `config.text` and `config.build` make them, `config.difference` compares them. Times are in
seconds, sizes in bytes. Equal settings mean equal processes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any


class RestartWhen(Enum):
    """When a consumer that exited by itself is started again."""

    ALWAYS = "always"
    ON_FAILURE = "on-failure"
    NEVER = "never"


class ExitOn(Enum):
    """When the supervisor exits with code 69."""

    NEVER = "never"
    ESSENTIAL = "essential"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class AppSpec:
    """What is applied before the app is imported. Programs with the same app spec share a fork server.

    `directory` is absolute. `python` None: the supervisor's interpreter. `environment` overrides the
    supervisor's; None unsets a variable. `user` None: the supervisor's. `group` None: the user's. `umask`
    None: inherited. `logging`: a configuration as JSON.
    """

    app: str
    directory: str
    environment: tuple[tuple[str, str | None], ...] = ()
    python: str | None = None
    user: str | None = None
    group: str | None = None
    umask: int | None = None
    preload: bool = True
    logging: str | None = None


@dataclass(frozen=True, slots=True)
class BackoffSettings:
    """Seconds before a restart: `first`, doubled up to `maximum`; the fraction `jitter` of it is random."""

    first: float = 1.0
    maximum: float = 60.0
    jitter: float = 0.5


@dataclass(frozen=True, slots=True)
class MaxRestarts:
    """More than `count` restarts within `window` seconds are FATAL."""

    count: int
    window: float = 600.0


@dataclass(frozen=True, slots=True)
class LogFile:
    """The log file of a program, instead of standard error. `path` is absolute.

    `max_bytes` 0: squids does not rotate it.
    """

    path: str
    max_bytes: int = 0
    backups: int = 5


@dataclass(frozen=True, slots=True)
class ProgramSettings:
    """One consumer of one queue.

    `name` is unique: the key under `queues`, with the suffix `:1`, `:2` and so on if it has several
    consumers. `options` are the consumer's, by the names of `squids.options`; missing ones have their
    defaults. `limits`: a resource's name ("nofile", "as") to its soft limit; None is unlimited. `sqs_queue`:
    what the option `queue` is called in SQS, by the file and the environment; "" if the same.
    """

    name: str
    key: str
    app_spec: AppSpec
    options: tuple[tuple[str, Any], ...]
    autostart: bool = True
    priority: int = 0
    restart: RestartWhen = RestartWhen.ALWAYS
    start_timeout: float = 60.0
    healthy_after: float = 60.0
    heartbeat_timeout: float = 30.0
    backoff: BackoffSettings = field(default_factory=BackoffSettings)
    max_restarts: MaxRestarts | None = None
    essential: bool = False
    log_file: LogFile | None = None
    log_level: str = "INFO"
    nice: int = 0
    limits: tuple[tuple[str, int | None], ...] = ()
    sqs_queue: str = ""

    def option(self, name: str, default: Any = None) -> Any:
        """Return a consumer's option as given in the file."""
        return dict(self.options).get(name, default)

    @property
    def queue(self) -> str:
        """The SQS queue: a name, a URL or an ARN."""
        return self.sqs_queue or str(self.option("queue"))

    @property
    def shutdown_timeout(self) -> float:
        return float(self.option("shutdown_timeout", 30.0))

    def scaled(self, workers: int) -> ProgramSettings:
        """Return a copy with another number of workers."""
        options = tuple(sorted({**dict(self.options), "workers": workers}.items()))
        return replace(self, options=options)


@dataclass(frozen=True, slots=True)
class SupervisorSettings:
    """The supervisor's own settings.

    `socket` None: derived from the configuration's path. `log_format` None: depends on standard error.
    """

    log_format: str | None = None
    log_jobs: bool | None = None
    log_level: str = "INFO"
    socket: str | None = None
    socket_mode: int = 0o600
    socket_group: str | None = None
    exit_on: ExitOn = ExitOn.NEVER
    max_workers: int = 256


@dataclass(frozen=True, slots=True)
class ReloadSettings:
    """Automatic reload of changed code.

    `paths` are absolute: additional files and directories to watch. `include` and `exclude` are globs.
    `delay`: seconds without changes before it acts. `kill_after`: seconds that old code may keep running;
    None: its shutdown timeout. `polling`: whether to look at files instead of waiting for events; None: where
    it is needed.
    """

    enabled: bool = False
    paths: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    delay: float = 0.1
    kill_after: float | None = None
    polling: bool | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """A whole file. `files`: all that were read, absolute, the main file first.

    `directories`: where additional files would be included.
    """

    supervisor: SupervisorSettings
    programs: tuple[ProgramSettings, ...]
    files: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    reload: ReloadSettings = field(default_factory=ReloadSettings)
    directories: tuple[str, ...] = ()

    @property
    def longest_drain(self) -> float:
        """Seconds that a stop may take.

        Tasks have their shutdown timeout, those on replaced code `kill_after`; a receive has its wait.
        """
        replaced = self.reload.kill_after if self.reload.enabled else None
        return max(
            max(program.shutdown_timeout, float(program.option("polling_wait_time", 5.0)), replaced or 0.0)
            for program in self.programs
        )

    @property
    def app_specs(self) -> tuple[AppSpec, ...]:
        """The distinct apps to import."""
        return tuple(dict.fromkeys(program.app_spec for program in self.programs))

    def program(self, name: str) -> ProgramSettings | None:
        return next((program for program in self.programs if program.name == name), None)
