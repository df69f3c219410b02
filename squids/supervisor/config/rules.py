"""What a configuration file may contain: each key with its type, range, default and description.

The keys of a consumer come from `squids.options`. pydantic validates shapes; `schema` makes the
JSON Schema, and `problems` words the errors.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from enum import Enum
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    create_model,
)

from squids.options import OPTIONS, Option
from squids.supervisor.config.scalars import (
    AlsoWritten,
    Duration,
    Environment,
    Limit,
    LoggingConfig,
    Octal,
    Seconds,
    Size,
    Text,
    checked_limits,
)
from squids.supervisor.settings import (
    BackoffSettings,
    LogFile,
    MaxRestarts,
    ProgramSettings,
    ReloadSettings,
    SupervisorSettings,
)

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


TIMES = ("_time", "_timeout", "_interval", "_delay")
"""Suffixes of options that are times and accept units."""


def _defaults(settings: Any) -> dict[str, Any]:
    """Return the defaults of a settings class, the only place where they are defined."""
    found = {}
    for field in fields(settings):
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        found[field.name] = default.value if isinstance(default, Enum) else default
    return found


BACKOFF, MAX_RESTARTS, LOG_FILE = map(_defaults, (BackoffSettings, MaxRestarts, LogFile))
PROGRAM, SUPERVISOR, RELOAD = map(_defaults, (ProgramSettings, SupervisorSettings, ReloadSettings))


class Rules(BaseModel):
    """Base class of all rules."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        coerce_numbers_to_str=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )


class BackoffRules(Rules):
    first: Annotated[Duration, Field(gt=0, description="Seconds before the first restart.")] = BACKOFF[
        "first"
    ]
    max: Annotated[Duration, Field(gt=0, description="The most seconds before a restart.")] = BACKOFF[
        "maximum"
    ]
    jitter: Annotated[float, Field(ge=0, le=1, description="The random share of the delay, 0 to 1.")] = (
        BACKOFF["jitter"]
    )


class MaxRestartsRules(Rules):
    count: Annotated[int, Field(ge=1, description="How many restarts are too many.")]
    window: Annotated[Duration, Field(gt=0, description="Within how many seconds.")] = MAX_RESTARTS["window"]


class LogFileRules(Rules):
    path: Annotated[Text, Field(min_length=1, description="The file.")]
    max_size: Annotated[Size, Field(ge=0, description="Rotate above this size; 0: never.")] = LOG_FILE[
        "max_bytes"
    ]
    backups: Annotated[int, Field(ge=0, le=1000, description="How many old files are kept.")] = LOG_FILE[
        "backups"
    ]


def _list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _max_restarts(value: Any) -> Any:
    return {"count": value} if isinstance(value, int) and not isinstance(value, bool) else value


def _log_file(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


class GroundRules(Rules):
    app: Annotated[
        Text | None,
        Field(
            description="Where the app is: module.app or module:app, or module:factory(), which returns it. "
            "Required here, under `defaults` or at the top."
        ),
    ] = None
    directory: Annotated[
        Text | None,
        Field(description="Where the app is imported from, and runs. Default: the file's own directory."),
    ] = None
    python: Annotated[
        Text | None,
        Field(description="Another interpreter. Symbolic links are kept. Default: the supervisor's own."),
    ] = None
    env_file: Annotated[
        list[str],
        BeforeValidator(_list),
        AlsoWritten("string"),
        Field(
            description="Files of variables, as python-dotenv reads them. Later ones override earlier ones; "
            "`environment` overrides all."
        ),
    ] = []
    environment: Annotated[
        Environment, Field(description="Variables added to the supervisor's environment; null unsets one.")
    ] = {}
    user: Annotated[Text | None, Field(description="The user to run as. Needs root.")] = None
    group: Annotated[Text | None, Field(description="The group to run as. Needs root.")] = None
    umask: Annotated[Octal | None, Field(le=0o777, description="The umask, in octal digits.")] = None
    logging: Annotated[
        LoggingConfig,
        Field(
            description="A configuration of logging that is applied before the app is imported, as of "
            "`logging.config.dictConfig`: a mapping, or a file of YAML or JSON."
        ),
    ] = None


class ProgramRules(GroundRules):
    autostart: Annotated[bool, Field(description="Start it with the supervisor.")] = PROGRAM["autostart"]
    priority: Annotated[int, Field(description="Lower ones start first, and are told to stop last.")] = (
        PROGRAM["priority"]
    )
    restart: Annotated[
        Literal["always", "on-failure", "never"],
        Field(description="Whether to restart it after it exits by itself."),
    ] = PROGRAM["restart"]
    start_timeout: Annotated[
        Duration, Field(gt=0, description="Seconds that importing the app, and then starting, may take.")
    ] = PROGRAM["start_timeout"]
    healthy_after: Annotated[
        Duration, Field(ge=0, description="Seconds of running after which its failures are forgotten.")
    ] = PROGRAM["healthy_after"]
    heartbeat_timeout: Annotated[
        Duration, Field(ge=10, description="Seconds without a sign of life before it is killed.")
    ] = PROGRAM["heartbeat_timeout"]
    backoff: Annotated[BackoffRules, Field(description="How long it waits before a restart.")] = (
        BackoffRules()
    )
    max_restarts: Annotated[
        MaxRestartsRules | None,
        BeforeValidator(_max_restarts),
        AlsoWritten("integer", minimum=1),
        Field(
            description="More restarts than this, within ten minutes or `window`, are FATAL. Default: never "
            "give up."
        ),
    ] = None
    essential: Annotated[bool, Field(description="See `supervisor.exit_on`.")] = PROGRAM["essential"]
    consumers: Annotated[
        int,
        Field(ge=1, le=1000, description="How many consumers drain this queue: NAME:1, NAME:2 and so on."),
    ] = 1
    log_file: Annotated[
        LogFileRules | None,
        BeforeValidator(_log_file),
        AlsoWritten("string", minLength=1),
        Field(
            description="Where its lines go, not to standard error: a path, or `{path, max_size, backups}`."
        ),
    ] = None
    log_level: Annotated[LogLevel, Field(description="The lowest level that is logged.")] = PROGRAM[
        "log_level"
    ]
    nice: Annotated[int, Field(ge=-20, le=19, description="The priority, as in nice(1).")] = PROGRAM["nice"]
    limits: Annotated[
        dict[str, Limit],
        AfterValidator(checked_limits),
        Field(description="Soft limits as in ulimit, by name, each a number, a size or `unlimited`."),
    ] = {}


def _rule_of(option: Option) -> tuple[Any, Any]:
    kind: Any = {int: int, bool: bool, str: Text, float: Duration}[option.kind]
    if option.kind is int and option.name.endswith(TIMES):
        kind = Seconds
    minimum, maximum = option.minimum, option.maximum
    if option.choices is not None:
        minimum, maximum = option.choices[0], option.choices[-1]
    description = f"{option.help if option.name != 'preload' else PRELOAD}."
    if option.computed:
        description += f" Default: {option.computed}."
    described = Field(description=description, ge=minimum, le=maximum)
    if option.default is None:
        return Annotated[kind | None, described], None
    return Annotated[kind, described], option.default


PRELOAD = (
    "Fork it from a process that has imported the app. false: each process is a fresh interpreter, for "
    "apps that start threads or open connections at import"
)

CONSUMER_OPTIONS = tuple(option for option in OPTIONS if option.name not in ("queue", "app"))

_OPTION_RULES: dict[str, Any] = {option.name: _rule_of(option) for option in CONSUMER_OPTIONS}

DefaultRules: Any = create_model("DefaultRules", __base__=ProgramRules, **_OPTION_RULES)


class QueueRules(DefaultRules):  # type: ignore[misc] # derived above
    queue: Annotated[
        Text | None,
        Field(
            description="The SQS queue: its name, URL or ARN. Default: the key. Code that names the key "
            "means this queue, too."
        ),
    ] = None


class SupervisorRules(Rules):
    log_format: Annotated[
        Literal["text", "brief", "json"] | None,
        Field(description="How lines look. Default: text, and in the journal with its prefix."),
    ] = None
    log_jobs: Annotated[
        bool | None,
        Field(description="Log the start and the end of each job, too. Failures are always logged."),
    ] = None
    log_level: Annotated[LogLevel, Field(description="The lowest level of its own lines that is logged.")] = (
        SUPERVISOR["log_level"]
    )
    socket: Annotated[
        Text | None, Field(description="The control socket. Default: derived from this file's path.")
    ] = None
    socket_mode: Annotated[Octal, Field(le=0o777, description="The socket's mode, in octal digits.")] = (
        SUPERVISOR["socket_mode"]
    )
    socket_group: Annotated[
        Text | None, Field(description="The socket's group: its members may steer, with `socket_mode: 0660`.")
    ] = None
    max_workers: Annotated[
        int, Field(ge=1, le=10_000, description="The most workers of one queue that `scale` takes.")
    ] = SUPERVISOR["max_workers"]
    exit_on: Annotated[
        Literal["never", "essential", "all"],
        Field(description="Exit with code 69 when a program that is `essential` is FATAL, or `all` are."),
    ] = SUPERVISOR["exit_on"]


class ReloadRules(Rules):
    enabled: Annotated[
        bool, Field(description="Watch the code, and run what is new. As --reload; for development.")
    ] = RELOAD["enabled"]
    paths: Annotated[
        list[str],
        BeforeValidator(_list),
        AlsoWritten("string"),
        Field(description="More files and directories to watch."),
    ] = []
    include: Annotated[
        list[str],
        BeforeValidator(_list),
        AlsoWritten("string"),
        Field(description='Globs of files that count besides `*.py`, such as `"*.html"`.'),
    ] = []
    exclude: Annotated[
        list[str],
        BeforeValidator(_list),
        AlsoWritten("string"),
        Field(description="Globs of files and directories that do not count."),
    ] = []
    delay: Annotated[Duration, Field(ge=0, le=60, description="Seconds without a change before it acts.")] = (
        RELOAD["delay"]
    )
    kill_after: Annotated[
        Annotated[Duration, Field(ge=0)] | None,
        Field(description="Seconds that tasks on the old code may continue. Default: the shutdown timeout."),
    ] = None
    polling: Annotated[
        Literal["auto"] | bool,
        Field(
            description="Look at the files again and again instead of waiting for events. `auto`: on folders "
            "that a host shares with its virtual machine or container, and where watchfiles does."
        ),
    ] = "auto"


def _reload(value: Any) -> Any:
    return {"enabled": value} if isinstance(value, bool) else _mapping(value)


def _mapping(value: Any) -> Any:
    return {} if value is None else value


def _mappings(value: Any) -> Any:
    return {key: _mapping(item) for key, item in value.items()} if isinstance(value, dict) else value


class FileRules(GroundRules):
    """The file of squids-supervisor: its queues, their defaults, and the supervisor itself."""

    include: Annotated[
        list[str],
        BeforeValidator(_list),
        AlsoWritten("string"),
        Field(description="More files with `queues`: paths, or globs."),
    ] = []
    queue_prefix: Annotated[
        Text | None,
        Field(
            description="Put before each name of a queue, here and in the code, unless it has it already. "
            "Sets `SQUIDS_QUEUE_PREFIX`."
        ),
    ] = None
    supervisor: Annotated[
        SupervisorRules,
        BeforeValidator(_mapping),
        AlsoWritten("null"),
        Field(description="The supervisor itself."),
    ] = SupervisorRules()
    defaults: Annotated[
        DefaultRules,
        BeforeValidator(_mapping),
        AlsoWritten("null"),
        Field(description="Defaults for every queue."),
    ] = DefaultRules()
    reload: Annotated[
        ReloadRules,
        BeforeValidator(_reload),
        AlsoWritten("boolean"),
        AlsoWritten("null"),
        Field(description="What happens when code changes: `true`, or a mapping."),
    ] = ReloadRules()
    queues: Annotated[
        dict[str, Annotated[QueueRules, AlsoWritten("null")]],
        BeforeValidator(_mappings),
        AlsoWritten("null"),
        Field(description="The queues, by a name of your own."),
    ] = {}
