"""A local SQS for a command: starts it, keeps it running, and creates its queues."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from squids.exit_codes import ExitCode
from squids.supervisor import events
from squids.supervisor.settings import Settings
from squids.supervisor.threads import NoThread, in_thread

if TYPE_CHECKING:
    from squids.supervisor.supervisor import Supervisor
    from squids.testing.local_sqs import LocalSQS


def start(port: int, program: str) -> LocalSQS | None:
    """Start a server, and make this process and its children use only it.

    Returns None after printing why it could not be started.
    """
    from squids.testing.local_sqs import LocalSQS, LocalSQSFailed

    try:
        server = LocalSQS.start(port)
    except LocalSQSFailed as error:
        print(f"{program}: {error}", file=sys.stderr)
        return None
    server.use_here()
    return server


def print_endpoint(server: LocalSQS) -> None:
    """Print where the server listens, and the variables to paste into another terminal."""
    print(
        f"local SQS at {server.url}. For another terminal:\n  {server.export_line}",
        file=sys.stderr,
        flush=True,
    )


def without_aws_variables(settings: Settings) -> Settings:
    """Drop the file's AWS variables, which would lead to another SQS, with a warning."""
    from squids.testing.local_sqs import NO_PROXY, past_proxies

    programs, warnings = [], []
    for program in settings.programs:
        given = program.app_spec.environment
        kept = tuple(pair for pair in given if not pair[0].startswith("AWS_"))
        dropped = sorted({pair[0] for pair in given} - {pair[0] for pair in kept})
        named = {name: text or "" for name, text in kept if name in NO_PROXY}
        if named:
            kept = tuple(sorted({**dict(kept), **past_proxies(named)}.items()))
        if dropped:
            warnings.append(f"{program.name}: {', '.join(dropped)} in the file are ignored with --local")
        programs.append(replace(program, app_spec=replace(program.app_spec, environment=kept)))
    return replace(settings, programs=tuple(programs), warnings=(*settings.warnings, *warnings))


class SupervisedSQS:
    """Creates the queues of a supervisor's settings, also after reloads, and restarts a dead server."""

    def __init__(self, server: LocalSQS, supervisor: Supervisor) -> None:
        self._server = server
        self._supervisor = supervisor
        self._loop = asyncio.get_running_loop()
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Watch the server and create the queues, before the programs start."""
        self._watch()
        await self.create_queues(self._supervisor.settings)

    async def create_queues(self, settings: Settings) -> None:
        """Create the missing queues of these settings."""
        from squids.testing.local_sqs import LocalSQSFailed

        async with self._lock:
            queues = [program.queue for program in settings.programs]
            try:
                await in_thread(lambda: self._server.create(queues))
            except (LocalSQSFailed, NoThread) as error:
                self._supervisor.say(events.local_sqs_died(str(error)))

    def close(self) -> None:
        """Stop the server."""
        self._loop.remove_reader(self._pipe())
        self._server.stop()

    def _pipe(self) -> int:
        assert self._server.process.stdout is not None
        return self._server.process.stdout.fileno()

    def _watch(self) -> None:
        self._loop.add_reader(self._pipe(), self._on_exit)

    def _on_exit(self) -> None:
        """Restart the server, whose closed standard output shows that it died."""
        self._loop.remove_reader(self._pipe())
        text = "the local SQS died, and with it what was in its queues"
        self._supervisor.say(events.local_sqs_died(text))
        self._server.restart()  # In this thread: the server dies with the thread that starts it.
        self._supervisor.background.start("the restart of the local SQS", self._resume())

    async def _resume(self) -> None:
        from squids.testing.local_sqs import LocalSQSFailed

        try:
            await in_thread(self._server.wait)
        except (LocalSQSFailed, NoThread) as error:
            self._supervisor.say(events.local_sqs_died(str(error)))
            return
        self._watch()
        await self.create_queues(self._supervisor.settings)
        self._supervisor.say(events.local_sqs(self._server.url))


def run_alone(config: str | None, port: int, *, trusting: bool = False) -> int:
    """`squids-supervisor local`: run a local SQS with the file's queues until stopped."""
    import signal

    from squids.cli.apps import read_or_report

    queues: list[str] = []
    if config is not None:
        settings = read_or_report(config, trusting=trusting)
        if settings is None:
            return ExitCode.CONFIG
        queues = [program.queue for program in settings.programs]
    server = start(port, "squids-supervisor")
    if server is None:
        return ExitCode.FAILURE
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup ignores it.
        signal.signal(signal.SIGHUP, signal.default_int_handler)
    try:
        server.create(queues)
        print_endpoint(server)
        if queues:
            print(f"queues: {', '.join(dict.fromkeys(queues))}", file=sys.stderr, flush=True)
        server.process.wait()
    except KeyboardInterrupt:
        server.stop()
        return ExitCode.OK
    print("squids-supervisor: the local SQS died", file=sys.stderr)
    return ExitCode.FAILURE
