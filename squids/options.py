"""The options of a consumer: the single source for the command line, the file and the docs. Pure."""

from __future__ import annotations

import math
from dataclasses import MISSING, dataclass, fields
from typing import Any

from squids.sqs_limits import MAX_VISIBILITY, MAX_WAIT

LONG_POLLING = (
    "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/"
    "sqs-short-and-long-polling.html#sqs-long-polling"
)


@dataclass(frozen=True, slots=True)
class ConsumerOptions:
    """The options of one pooled consumer. Times are in seconds; None means computed at start."""

    queue: str
    app: str
    workers: int | None = None
    report_interval: float = 300
    polling_wait_time: int = 5
    visibility_timeout: int = 60
    shutdown_timeout: float = 30
    prefetch: int | None = None
    exit_when_empty: bool = False
    retry_delay: float = 2
    retry_max_delay: float = 900
    no_retry_delay: bool = False
    preload: bool = True


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its type, range and help. `metavar`: the placeholder for its value in the help.

    `choices`: the numbers of a range. `computed`: what is used if the option is not given and has no fixed
    default. `in_command`: a further sentence for the command. `lowest_in_command`: its minimum, if not the
    file's.
    """

    name: str
    kind: type
    help: str
    metavar: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Any, ...] | None = None
    computed: str = ""
    in_command: str = ""
    lowest_in_command: float | None = None

    @property
    def default(self) -> Any:
        """The default in `ConsumerOptions`; None if it has none."""
        return _DEFAULTS.get(self.name)

    @property
    def required(self) -> bool:
        return self.name not in _DEFAULTS

    @property
    def default_text(self) -> str:
        """The default as shown in the help; "" if there is nothing to show."""
        if self.kind is bool or self.required:
            return ""
        return self.computed or f"{self.default:g}"


_DEFAULTS = {field.name: field.default for field in fields(ConsumerOptions) if field.default is not MISSING}

OPTIONS: tuple[Option, ...] = (
    Option("queue", str, "The SQS queue to process: its name, URL or ARN", "QUEUE"),
    Option(
        "app",
        str,
        "Where the app is: module.app or module:app, where app is an instance of squids.App; "
        "or 'module:factory()', which is called and returns one",
        "MODULE:APP",
    ),
    Option(
        "workers",
        int,
        "The number of worker processes",
        "N",
        minimum=1,
        maximum=10_000,
        computed="the CPUs that this process may use, by affinity and the CPU limit of its container",
        in_command=". 0: run tasks in this process, one at a time, where a debugger can be used",
        lowest_in_command=0,
    ),
    Option(
        "report_interval",
        float,
        "The shortest interval between calls of the report_queue_stats callbacks with the queue's "
        "attributes. If none is registered, GetQueueAttributes is never requested",
        "SECONDS",
        minimum=1,
    ),
    Option(
        "polling_wait_time",
        int,
        f"The WaitTimeSeconds of a receive. A stop waits for a receive under way. See {LONG_POLLING}",
        f"0-{MAX_WAIT}",
        choices=tuple(range(MAX_WAIT + 1)),
    ),
    Option(
        "visibility_timeout",
        int,
        "How long a received message is hidden from others. It is extended while the message is held, so "
        "tasks may take longer: it is the delay after a machine is lost",
        "SECONDS",
        minimum=1,
        maximum=MAX_VISIBILITY - 120,
    ),
    Option(
        "shutdown_timeout",
        float,
        "How long running tasks may take to end after a stop, before they are killed and given back",
        "SECONDS",
        minimum=0,
    ),
    Option(
        "prefetch",
        int,
        "The most messages held at a time, running ones included",
        "N",
        minimum=1,
        maximum=100_000,
        computed="2 x workers",
    ),
    Option(
        "exit_when_empty",
        bool,
        "Exit 0 after two empty long polls with nothing in flight. Messages in backoff do not count",
    ),
    Option(
        "retry_delay",
        float,
        "How long before a failed message is run again, doubled at each receive, with jitter",
        "SECONDS",
        minimum=0,
        maximum=MAX_VISIBILITY - 120,
    ),
    Option(
        "retry_max_delay",
        float,
        "The longest time before a failed message is run again",
        "SECONDS",
        minimum=0,
        maximum=MAX_VISIBILITY - 120,
    ),
    Option(
        "no_retry_delay",
        bool,
        "Leave a failed message alone: it comes back when the visibility timeout of its receive runs out",
    ),
    Option(
        "preload",
        bool,
        "Start each worker as a fresh interpreter instead of forking one that has imported the app: for apps "
        "that start threads or open connections at import",
    ),
)


def validate(options: ConsumerOptions) -> list[str]:
    """Return all problems with the values, one sentence each; empty if there are none."""
    problems = []
    for option in OPTIONS:
        value = getattr(options, option.name)
        flag = "--" + option.name.replace("_", "-")
        if value is None or isinstance(value, str | bool):
            continue
        minimum = option.minimum if option.lowest_in_command is None else option.lowest_in_command
        if not math.isfinite(value):
            problems.append(f"{flag}: {value} is not a number of seconds")
        elif minimum is not None and value < minimum:
            problems.append(f"{flag}: {value} is less than {minimum:g}")
        elif option.maximum is not None and value > option.maximum:
            problems.append(f"{flag}: {value} is more than {option.maximum:g}")
        elif option.choices is not None and value not in option.choices:
            problems.append(f"{flag}: {value} is not between {option.choices[0]} and {option.choices[-1]}")
    if not problems and options.retry_max_delay < options.retry_delay:
        problems.append("--retry-max-delay: less than --retry-delay")
    if options.workers == 0 and options.prefetch not in (None, 1):
        problems.append("--prefetch: with --workers 0, one message is held at a time")
    return problems
