"""The verbs of `squids-supervisor`, for its parser, dispatch, completion and documentation.

The supervisor carries out a verb by the function of its name in `queries` or `commands`; the command itself
carries out a `local` one. Imports little, so that the client starts fast. Pure.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from squids.exit_codes import NO_SUCH_NAME, NOT_ALL, TIMED_OUT

GROUPS = {
    "look": "Look",
    "steer": "Steer",
    "develop": "Develop and check",
    "install": "Run and install",
}
"""Groups of verbs, in the order of the help, with their titles."""


class Argument(NamedTuple):
    """An argument of a verb. `kind`: how its text is converted; a flag has none.

    `name`: its name in a request, if different; "" if it is not sent.
    """

    flags: tuple[str, ...]
    help: str
    kind: str = "flag"
    metavar: str | None = None
    default: Any = None
    choices: tuple[str, ...] | None = None
    nargs: str | None = None
    name: str | None = None

    @property
    def positional(self) -> bool:
        return not self.flags[0].startswith("-")

    @property
    def dest(self) -> str:
        """The attribute of the parser's result."""
        return self.name or self.flags[-1].lstrip("-").replace("-", "_")


class Verb(NamedTuple):
    """A verb. `changes`: it changes something, so the log says who requested it.

    `prompt`: the supervisor answers at once, unless the verb follows. `stream`: with --json, print one object
    per answer as it comes instead of one document. `codes`: exit codes beyond those of all verbs.
    """

    name: str
    group: str
    help: str
    arguments: tuple[Argument, ...] = ()
    changes: bool = False
    prompt: bool = False
    stream: bool = False
    codes: tuple[int, ...] = ()
    local: bool = False
    shown: bool = True
    """Whether the help and the documentation show it."""


QUEUES = Argument(("queues",), "Names as in the file, or globs; default: all", "queue", "QUEUE", nargs="*")
SOME_QUEUES = QUEUES._replace(help="Names as in the file, or globs", nargs="+")
JSON = Argument(("--json",), "Print one JSON document")
JSON_LINES = Argument(("--json",), "Print one JSON object a line")
LONGEST_TIMEOUT = 1e9
"""Seconds. The loop's clock can hardly handle longer ones."""

TIMEOUT = Argument(("--timeout",), "Wait no longer than this: 30, 30s, 5m", "seconds", "SECONDS")
NO_WAIT = Argument(("--no-wait",), "Do not wait for the effect")
FOLLOW = Argument(("-f", "--follow"), "Show what comes, until Ctrl-C")
LINES = Argument(("-n", "--lines"), "How many; default: 50", "positive", "N", default=50)
DRY_RUN = Argument(("--dry-run",), "Show what would change, and change nothing")
TRUST = Argument(
    ("--trust-files",),
    "Read the file even if other users can write to it; for containers",
    name="trust_files",
)
PORT = Argument(("--local-port",), "The port of the local SQS; default: a free one", "port", "N")

WAITS = (TIMEOUT, NO_WAIT)
OF_QUEUES = (NO_SUCH_NAME,)
OF_WAITING = (NO_SUCH_NAME, TIMED_OUT)


def _steering(name: str, text: str, *arguments: Argument, queues: Argument = QUEUES) -> Verb:
    return Verb(name, "steer", text, (queues, *arguments, *WAITS, JSON), changes=True, codes=OF_WAITING)


_REMOTE = (
    Verb(
        "status",
        "look",
        "Show what each queue does",
        (QUEUES, JSON),
        prompt=True,
        codes=(NOT_ALL, NO_SUCH_NAME),
    ),
    Verb(
        "why",
        "look",
        "Show how each queue's consumers ended, and their last lines",
        (QUEUES, JSON),
        prompt=True,
        codes=OF_QUEUES,
    ),
    Verb(
        "logs",
        "look",
        "Show the last lines of the log",
        (QUEUES, FOLLOW, LINES, JSON_LINES),
        prompt=True,
        stream=True,
        codes=OF_QUEUES,
    ),
    Verb(
        "events",
        "look",
        "Show the last events: changes of state, reloads, failures",
        (QUEUES, FOLLOW, LINES, JSON_LINES),
        prompt=True,
        stream=True,
        codes=OF_QUEUES,
    ),
    Verb(
        "pid",
        "look",
        "Print the pid of the supervisor, or of queues' consumers",
        (QUEUES._replace(help="Names as in the file, or globs; default: the supervisor"), JSON),
        prompt=True,
        codes=OF_QUEUES,
    ),
    Verb(
        "wait",
        "look",
        "Wait until queues run, or are stopped",
        (
            QUEUES,
            Argument(
                ("--for",),
                "running or stopped; default: running",
                "text",
                "STATE",
                default="running",
                choices=("running", "stopped"),
                name="for",
            ),
            TIMEOUT,
            JSON,
        ),
        codes=OF_WAITING,
    ),
    Verb(
        "dump",
        "look",
        "Show the stacks of all threads of queues' processes",
        (QUEUES, JSON_LINES),
        changes=True,
        stream=True,
        codes=OF_QUEUES,
    ),
    _steering("start", "Start queues"),
    _steering("stop", "Drain queues, and stop them"),
    _steering(
        "restart",
        "Restart queues with the code that is on disk now",
        Argument(("--rolling",), "Drain the old process once the new one receives"),
    ),
    _steering("pause", "Stop receiving, and keep the processes"),
    _steering("resume", "Receive again after a pause"),
    _steering(
        "scale",
        "Set the number of workers, until the next reload",
        queues=Argument(
            ("queues",), "A queue or a glob, and its number of workers", "queue", "QUEUE=N", nargs="+"
        ),
    ),
    Verb(
        "reload",
        "steer",
        "Read the file again, and touch only what changed",
        (DRY_RUN, *WAITS, JSON_LINES),
        changes=True,
        stream=True,
        codes=(TIMED_OUT,),
    ),
    _steering("reset", "Forget the failures of queues, and start them now"),
    Verb(
        "signal",
        "steer",
        "Send a signal to queues' main processes",
        (Argument(("signal",), "Its name or number: USR1, SIGTERM, 15", "text", "SIGNAL"), SOME_QUEUES, JSON),
        changes=True,
        codes=OF_QUEUES,
    ),
    Verb(
        "shutdown",
        "steer",
        "Drain all queues, and stop the supervisor",
        (Argument(("--now",), "Do not wait for tasks: give them back"), *WAITS, JSON),
        changes=True,
        codes=(TIMED_OUT,),
    ),
    Verb("follow", "look", "Jobs, states and lines of an SQS queue: for `send --wait`", shown=False),
    Verb(
        "hold",
        "steer",
        "Pause what receives, until the client closes its connection: for `debug`",
        changes=True,
        shown=False,
    ),
    Verb("local", "look", "Where the local SQS listens: for `tasks` and `send`", prompt=True, shown=False),
)

_LOCAL = (
    Verb(
        "check",
        "develop",
        "Check the file and the apps; with --aws, the queues too",
        (Argument(("--aws",), "Ask SQS whether each queue exists and may be used"), JSON, TRUST),
        local=True,
    ),
    Verb("tasks", "develop", "List every app's tasks: queue, signature, place", (JSON, TRUST), local=True),
    Verb(
        "send",
        "develop",
        "Send a call of a task, by its name",
        (
            Argument(("task",), "Its name as `tasks` shows it, or the end of it", "text", "TASK"),
            Argument(("kwargs",), "The arguments by name: a JSON object", "text", "JSON", nargs="?"),
            Argument(("--args",), "The arguments by position: a JSON array", "text", "JSON"),
            Argument(("--options",), 'Options of SendMessage: {"DelaySeconds": 5}', "text", "JSON"),
            Argument(("--queue",), "Another queue than the task's", "text", "QUEUE"),
            Argument(("--wait",), "Show the log until the task has run"),
            TIMEOUT,
            TRUST,
        ),
        local=True,
        codes=(TIMED_OUT,),
    ),
    Verb(
        "debug",
        "develop",
        "Run a queue in this terminal, where debuggers work",
        (Argument(("queue",), "Its name as in the file", "queue", "QUEUE"), TRUST),
        local=True,
        codes=OF_QUEUES,
    ),
    Verb(
        "init",
        "develop",
        "Write a small project that works; overwrite nothing",
        (Argument(("directory",), "Where; default: here", "text", "DIR", default=".", nargs="?"),),
        local=True,
    ),
    Verb(
        "local",
        "develop",
        "Run a local SQS with the file's queues, and nothing else",
        (PORT, TRUST),
        local=True,
    ),
    Verb("schema", "develop", "Print the file's JSON Schema, for editors", local=True),
    Verb("run", "install", "Run the supervisor in the foreground; the default", local=True),
    Verb("systemd", "install", "Write, print or remove systemd units for this installation", local=True),
    Verb(
        "completion",
        "install",
        "Print the completion of a shell: bash, zsh or fish",
        (Argument(("shell",), "Which", "text", "SHELL", choices=("bash", "zsh", "fish")),),
        local=True,
    ),
)

REMOTE = {verb.name: verb for verb in _REMOTE}
"""Verbs that the supervisor carries out, by name."""

COMMANDS = {verb.name: verb for verb in (*_REMOTE, *_LOCAL) if verb.shown}
"""Verbs that the command takes, by name."""
