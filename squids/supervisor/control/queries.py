"""Verbs that only look, each a function of its name."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from squids.exit_codes import FAILED, NO_SUCH_NAME, NOT_ALL, OK, USAGE
from squids.hints import as_word
from squids.process.imported_files import changed_files
from squids.process.log_lines import Line, Source, iso
from squids.supervisor import outcome
from squids.supervisor.control import answers
from squids.supervisor.control.answers import Answers
from squids.supervisor.control.context import Context
from squids.supervisor.control.following import Following
from squids.supervisor.control.selection import Request, RequestRefused
from squids.supervisor.control.status import pids_of, status_of, zygotes_of
from squids.supervisor.history import NotedEvent
from squids.supervisor.outcome import ProgramOutcome
from squids.supervisor.threads import NoThread, in_thread

QUIET_SECONDS = 0.5
"""Seconds without output after which a dump counts as complete, once each process has written something."""

DUMP_SECONDS = 5.0
"""How long a dump waits for a process that writes nothing."""

LOOK_SECONDS = 30.0
"""How long `status` inspects processes and files before it answers without the result."""

LINES_SHOWN = 50
"""The default number of log lines or events."""

MAX_WAITING = 1000
"""Lines or events that a follower may lag behind before it loses some."""

T = TypeVar("T")


async def status(context: Context, request: Request) -> Answers:
    names = context.selected(request)
    supervisor = context.supervisor
    pids = pids_of(supervisor, names)
    usage = await _in_time(lambda: context.meter.measure(pids)) or {}
    generations = list(supervisor.fork_servers.generations)
    imports = {child: one.facts.files for child, one in supervisor.consumers.all.items() if one.facts}

    def look() -> tuple[dict[int, list[str]], dict[int, list[str]]]:
        of_generations = {generation.number: generation.stale_files() for generation in generations}
        return of_generations, {child: changed_files(files) for child, files in imports.items()}

    stale, stale_alone = await _in_time(look) or ({}, {})
    entries = status_of(supervisor, names, usage, stale, stale_alone)
    yield {
        "type": "status",
        "supervisor": {
            "pid": os.getpid(),
            "started_at": iso(supervisor.started_at),
            "uptime": round(time.time() - supervisor.started_at, 1),
            "stopping": supervisor.stopping,
            "config": next(iter(supervisor.settings.files), None),
            "reload_failed": context.file_reload.last_error,
        },
        "zygotes": zygotes_of(supervisor, stale),
        "programs": entries,
    }
    yield answers.end(OK if all(entry["as_wanted"] for entry in entries) else NOT_ALL)


async def _in_time(call: Callable[[], T]) -> T | None:
    """Return the result, or None if it takes too long: `status` must answer even if a file system hangs."""
    try:
        return await asyncio.wait_for(in_thread(call), LOOK_SECONDS)
    except (TimeoutError, NoThread):
        return None


async def local(context: Context, request: Request) -> Answers:
    """Report where the local SQS listens, if there is one."""
    yield {"type": "local", "endpoint": context.supervisor.local_endpoint}
    yield answers.end(OK)


async def pid(context: Context, request: Request) -> Answers:
    if not request.queues:
        yield answers.text(str(os.getpid()), pid=os.getpid())
        yield answers.end(OK)
        return
    code = OK
    for name in context.selected(request):
        process = context.supervisor.programs[name].current
        if process is None or process.pid is None:
            code = FAILED
            yield answers.result(name, ProgramOutcome(False, "no process"))
        else:
            yield answers.text(str(process.pid), queue=name, pid=process.pid)
    yield answers.end(code)


async def why(context: Context, request: Request) -> Answers:
    supervisor = context.supervisor
    for name in context.selected(request):
        program = supervisor.programs[name]
        deaths = supervisor.history.deaths(name)
        consumer = supervisor.consumers.of(program.current)
        figures = consumer.figures if consumer is not None else None
        yield {
            "type": "why",
            "queue": name,
            "state": program.state.value,
            "reason": program.reason,
            "degraded": supervisor.degraded(program),
            "stale": supervisor.stale.get(program.settings.app_spec),
            "warnings": list(figures.warnings) if figures is not None else [],
            "deaths": [{**death.as_dict(), "at": iso(death.at)} for death in deaths],
        }
    yield answers.end(OK)


async def logs(context: Context, request: Request) -> Answers:
    output, wanted = context.supervisor.output, _is_of(context, request)
    shown = request.positive("lines", LINES_SHOWN)
    with _following(output.followers, wanted) as coming:
        found = [line for line in output.kept if wanted(line)]
        for line in found[-shown:]:
            yield answers.line(line)
        while request.options.get("follow"):
            yield answers.line(await coming.get())
    yield answers.end(OK)


async def events(context: Context, request: Request) -> Answers:
    supervisor, wanted = context.supervisor, _is_of(context, request)
    shown = request.positive("lines", LINES_SHOWN)
    with _following(supervisor.watchers, wanted) as coming:
        found = [event for event in supervisor.history.events() if wanted(event)]
        for event in found[-shown:]:
            yield answers.event(event)
        while request.options.get("follow"):
            yield answers.event(await coming.get())
    yield answers.end(OK)


def _is_of(context: Context, request: Request) -> Callable[[Line | NotedEvent], bool]:
    """Return a filter for lines and events of the selected programs; without queues, of everything."""
    names = set(context.selected(request)) if request.queues else None
    return lambda item: names is None or item.program in names


async def follow(context: Context, request: Request) -> Answers:
    """Follow the jobs of the programs of an SQS queue: see `following`."""
    following = Following(context.supervisor, request.queues)
    if not following.found:
        raise RequestRefused(
            f"the supervisor's file has no queue {', '.join(map(as_word, request.queues))}", NO_SUCH_NAME
        )
    with following:
        answer: answers.Answer = {}
        while answer.get("type") != "end":
            answer = await following.next()
            yield answer


@contextlib.contextmanager
def _following(
    followers: set[Any], wanted: Callable[[Any], bool], at_most: int = MAX_WAITING
) -> Iterator[asyncio.Queue[Any]]:
    """Collect new items, from now on. A client that lags behind by `at_most` loses some; 0: it loses none."""
    queue: asyncio.Queue[Any] = asyncio.Queue(at_most)

    def take(item: Any) -> None:
        if wanted(item) and not queue.full():
            queue.put_nowait(item)

    followers.add(take)
    try:
        yield queue
    finally:
        followers.discard(take)


WAITS_FOR = {"running": outcome.of_wait_for_running, "stopped": outcome.of_wait_for_stopped}


async def wait(context: Context, request: Request) -> Answers:
    decide = WAITS_FOR.get(str(request.options.get("for", "running")))
    if decide is None:
        raise RequestRefused("wait --for takes running or stopped", USAGE)
    async for answer in context.each(context.selected(request), decide, request):
        yield answer


async def dump(context: Context, request: Request) -> Answers:
    names = context.selected(request)
    supervisor = context.supervisor
    loop = asyncio.get_running_loop()
    code = OK
    printed = _following(
        supervisor.output.followers,
        lambda line: not line.level and line.program in names,
        at_most=0,
    )
    with printed as coming:
        for name in names:
            if not supervisor.consumers.ask_for_stacks(name):
                code = FAILED
                yield answers.result(name, ProgramOutcome(False, "no process"))
        asked = sum(map(len, pids_of(supervisor, names).values()))
        heard: set[Source] = set()
        deadline = loop.time() + DUMP_SECONDS
        while (now := loop.time()) < deadline:  # Tested here: `get` does not wait while lines keep coming.
            quiet_at = now + QUIET_SECONDS if len(heard) >= asked else deadline
            try:
                async with asyncio.timeout_at(min(quiet_at, deadline)):
                    line = await coming.get()
            except TimeoutError:
                break
            heard.add(line.source)
            yield answers.line(line)
    yield answers.end(code)
