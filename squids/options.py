"""The options of a consumer: the one list from which the command line, the file and the docs derive."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from squids.sqs_limits import MAX_VISIBILITY, MAX_WAIT

LONG_POLLING = (
    "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/"
    "sqs-short-and-long-polling.html#sqs-long-polling"
)


@dataclass(frozen=True, slots=True)
class ConsumerOptions:
    """What one pooled consumer is told. Times in seconds. None: worked out when it starts."""

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
    """One option: its name, type, default, range, and help for people."""

    name: str
    kind: type
    default: Any
    help: str
    minimum: float | None = None
    maximum: float | None = None
    required: bool = False
    choices: tuple[Any, ...] | None = None
    metavar: str | None = None


OPTIONS: tuple[Option, ...] = (
    Option("queue", str, None, "The SQS queue to process: its name, URL or ARN.", required=True),
    Option(
        "workers",
        int,
        None,
        "The number of workers to run. Defaults to the number of CPUs that this process may use",
        minimum=1,
        maximum=10_000,
    ),
    Option(
        "app",
        str,
        None,
        "Where the app is: module.app or module:app, where app is an instance of squids.App",
        required=True,
    ),
    Option(
        "report_interval",
        float,
        300,
        "How often to call the report_queue_stats callbacks with the queue's attributes, in seconds, at the "
        "earliest. Defaults to 300 (5 min). If none is registered, GetQueueAttributes is never requested",
        minimum=1,
    ),
    Option(
        "polling_wait_time",
        int,
        5,
        f"The WaitTimeSeconds of a receive, 0 to {MAX_WAIT}. Defaults to 5. A stop waits for a receive under "
        f"way. See {LONG_POLLING}",
        choices=tuple(range(MAX_WAIT + 1)),
        metavar="SECONDS",
    ),
    Option(
        "visibility_timeout",
        int,
        60,
        "Seconds for which a received message is hidden from others. It is extended while it is held, "
        "so tasks may take longer: it is what a lost machine costs. Defaults to 60",
        minimum=1,
        maximum=MAX_VISIBILITY - 120,
    ),
    Option(
        "shutdown_timeout",
        float,
        30,
        "Seconds that running tasks may take to end after a stop, before they are killed and given back. "
        "Defaults to 30",
        minimum=0,
    ),
    Option(
        "prefetch",
        int,
        None,
        "The most messages held at a time, running ones included. Defaults to 2 x workers",
        minimum=1,
        maximum=100_000,
    ),
    Option(
        "exit_when_empty",
        bool,
        False,
        "Leave with 0 after two empty long polls with nothing held. Messages in backoff do not count",
    ),
    Option(
        "retry_delay",
        float,
        2,
        "Seconds before a failed message is run again, doubled at each receive, with jitter. Defaults to 2",
        minimum=0,
        maximum=MAX_VISIBILITY - 120,
    ),
    Option(
        "retry_max_delay",
        float,
        900,
        "The most seconds before a failed message is run again. Defaults to 900 (15 min)",
        minimum=0,
        maximum=MAX_VISIBILITY - 120,
    ),
    Option(
        "no_retry_delay",
        bool,
        False,
        "Leave a failed message alone: it comes back when the visibility timeout of its receive runs out",
    ),
    Option(
        "preload",
        bool,
        True,
        "Start each worker as a fresh interpreter instead of forking one that has imported the app: for apps "
        "that start threads or open connections at import",
    ),
)


def validate(options: ConsumerOptions) -> list[str]:
    """What is wrong with the values, all of it, in words; nothing if all is well."""
    problems = []
    for option in OPTIONS:
        value = getattr(options, option.name)
        flag = "--" + option.name.replace("_", "-")
        if value is None or isinstance(value, str | bool):
            continue
        if not math.isfinite(value):
            problems.append(f"{flag}: {value} is not a number of seconds")
        elif option.minimum is not None and value < option.minimum:
            problems.append(f"{flag}: {value} is less than {option.minimum:g}")
        elif option.maximum is not None and value > option.maximum:
            problems.append(f"{flag}: {value} is more than {option.maximum:g}")
        elif option.choices is not None and value not in option.choices:
            problems.append(f"{flag}: {value} is not one of {option.choices[0]} to {option.choices[-1]}")
    if not problems and options.retry_max_delay < options.retry_delay:
        problems.append("--retry-max-delay: less than --retry-delay")
    return problems
