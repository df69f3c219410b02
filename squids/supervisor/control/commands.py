"""Verbs that change something, each a function of its name that waits for the effect."""

from __future__ import annotations

import asyncio
import os
import signal as signals

from squids.exit_codes import FAILED, OK, TIMED_OUT, USAGE
from squids.hints import as_word
from squids.process.signals import signal_name
from squids.supervisor import outcome
from squids.supervisor.control import answers
from squids.supervisor.control.answers import Answers
from squids.supervisor.control.context import Context
from squids.supervisor.control.selection import Request, RequestRefused, selected
from squids.supervisor.events import debugger_gone
from squids.supervisor.outcome import ProgramOutcome, timed_out_after
from squids.supervisor.program import events as ev
from squids.supervisor.program.events import ProgramState, Wanted
from squids.supervisor.program.machine import Program
from squids.supervisor.rollout import Told
from squids.supervisor.threads import NoThread, in_thread

FOR_MEMBERS = frozenset(
    {signals.SIGTERM, signals.SIGINT, signals.SIGQUIT, signals.SIGABRT, signals.SIGUSR1, signals.SIGUSR2}
)
"""Signals that members of `socket_group` may send: those on which a consumer exits or reports.

SIGKILL and SIGSTOP are reserved for root and the owner.
"""


async def start(context: Context, request: Request) -> Answers:
    names = context.selected_to_run(request)
    context.refuse_if_stopping()
    supervisor = context.supervisor
    for name in names:
        program = supervisor.programs.get(name)
        if program is None:
            continue  # It was removed from the file meanwhile.
        if program.state in (ProgramState.STOPPED, ProgramState.EXITED, ProgramState.FATAL):
            await _take_newest_generation(context, program)
        if supervisor.programs.get(name) is program and name not in context.rollout.removals.names:
            supervisor.feed(program, ev.StartProgram())
    async for answer in context.effect(names, _came_up(context), request):
        yield answer


async def reset(context: Context, request: Request) -> Answers:
    names = context.selected_to_run(request)
    context.refuse_if_stopping()
    supervisor = context.supervisor
    for name in names:
        program = supervisor.programs[name]
        supervisor.fork_servers.forget_failure(supervisor.fork_servers.generations[program.generation])
        supervisor.feed(program, ev.ResetProgram())
    async for answer in context.effect(names, _came_up(context), request):
        yield answer


def _came_up(context: Context) -> outcome.Decide:
    return lambda program: outcome.of_start(program, context.supervisor.degraded(program))


async def _take_newest_generation(context: Context, program: Program) -> None:
    """Take a new import if the code on disk changed or its last import failed."""
    supervisor = context.supervisor
    generations = supervisor.fork_servers.generations
    generation = generations.for_start(program.settings.app_spec)
    with generations.holding([generation]):
        try:
            stale = await in_thread(generation.stale_files)
        except NoThread as error:
            raise RequestRefused(str(error), FAILED) from error
        program.generation = generations.for_operator(generation, stale=bool(stale)).number


async def stop(context: Context, request: Request) -> Answers:
    names = context.selected(request)
    for name in names:
        context.supervisor.feed(context.supervisor.programs[name], ev.StopProgram())
    async for answer in context.effect(names, outcome.of_stop, request):
        yield answer


async def restart(context: Context, request: Request) -> Answers:
    context.refuse_if_stopping()
    programs = [context.supervisor.programs[name] for name in context.selected_to_run(request)]
    rolling = bool(request.options.get("rolling"))
    outcomes = context.rollout.begin(
        context.rollout.restart(programs, rolling=rolling, timeout=request.timeout())
    )
    async for answer in _reported(outcomes, request):
        yield answer


async def pause(context: Context, request: Request) -> Answers:
    async for answer in _set_paused(context, request, True):
        yield answer


async def resume(context: Context, request: Request) -> Answers:
    async for answer in _set_paused(context, request, False):
        yield answer


async def _set_paused(context: Context, request: Request, on: bool) -> Answers:
    names = context.selected(request)
    _feed_pause(context, names, on)
    async for answer in context.effect(names, _came_to(context, paused=on), request):
        yield answer


def _feed_pause(context: Context, names: list[str], on: bool) -> None:
    supervisor = context.supervisor
    for name in names:
        supervisor.feed(supervisor.programs[name], ev.PauseProgram() if on else ev.ResumeProgram())


def _came_to(context: Context, *, paused: bool) -> outcome.Decide:
    def decide(program: Program) -> ProgramOutcome | None:
        consumer = context.supervisor.consumers.of(program.current)
        figures = consumer.figures if consumer is not None else None
        is_paused = (figures is not None and figures.paused) if consumer is not None else None
        return outcome.of_pause(program, paused, is_paused)

    return decide


async def hold(context: Context, request: Request) -> Answers:
    """Pause what receives. When the client is gone, resume what is still paused.

    The first answer of type "text" says that all that can be paused is.
    """
    supervisor = context.supervisor
    held = {
        name: supervisor.programs[name]
        for name in context.selected(request)
        if supervisor.programs[name].wanted is Wanted.UP
    }
    _feed_pause(context, [*held], True)
    try:
        async for answer in context.each([*held], _came_to(context, paused=True), request):
            if answer["type"] != "end":
                yield answer
        yield answers.text("holding")
        await asyncio.get_running_loop().create_future()
    finally:
        for name, program in held.items():
            same = supervisor.programs.get(name) is program
            if same and program.wanted is Wanted.PAUSED and not supervisor.stopping:
                supervisor.say(debugger_gone(name))
                supervisor.feed(program, ev.ResumeProgram())


async def scale(context: Context, request: Request) -> Answers:
    supervisor = context.supervisor
    most = supervisor.settings.supervisor.max_workers
    wanted: dict[str, int] = {}
    for item in request.queues:
        pattern, _, number = item.rpartition("=")
        is_number = number.isascii() and number.isdigit() and len(number) < 9
        if not (pattern and is_number and 1 <= int(number) <= most):
            words = f"expected QUEUE=N with N from 1 to {most} (max_workers), not {as_word(item)}"
            raise RequestRefused(words, USAGE)
        wanted |= dict.fromkeys(context.still_in_file(selected(supervisor.programs, [pattern])), int(number))
    if not wanted:
        raise RequestRefused("expected QUEUE=N", USAGE)
    for name, workers in wanted.items():
        supervisor.scale(supervisor.programs[name], workers)

    def decide(program: Program) -> ProgramOutcome | None:
        workers = wanted[program.settings.name]
        consumer = supervisor.consumers.of(program.current)
        if consumer is None and supervisor.stopping:
            return outcome.SUPERVISOR_STOPS
        if consumer is None:
            return ProgramOutcome(True, f"will start with {workers} workers")
        figures = consumer.figures
        if figures is not None and figures.workers == figures.ready == workers:
            return ProgramOutcome(True, f"{workers} workers")
        return None

    async for answer in context.effect(list(wanted), decide, request):
        yield answer


async def reload(context: Context, request: Request) -> Answers:
    context.refuse_if_stopping()
    plan = await context.file_reload.plan()
    if isinstance(plan, list):
        for problem in plan:
            yield answers.text(problem, error=True)
        yield answers.end(FAILED, "the file is invalid; nothing was changed")
        return
    if request.options.get("dry_run"):
        for line in plan.lines():
            yield answers.text(line)
        yield answers.end(OK)
        return
    waits_for_another = context.file_reload.in_progress
    told = context.file_reload.begin(plan, timeout=request.timeout())
    if waits_for_another:
        yield answers.text("another reload is in progress: this one starts after it")
    elif not request.waits:
        for line in plan.lines():
            yield answers.text(line)
    async for answer in _reported(told, request):
        yield answer


async def _reported(told: asyncio.Queue[Told | None], request: Request) -> Answers:
    code, error = OK, None
    if not request.waits:
        yield answers.text("continues in the background; see events and logs")
        yield answers.end(OK)
        return
    while (one := await told.get()) is not None:
        if isinstance(one, str):
            yield answers.text(one)
            continue
        if one.timed_out:
            code, error = TIMED_OUT, timed_out_after(request.timeout())
        elif not one.ok and code == OK:
            code = FAILED
        yield answers.result(one.name, ProgramOutcome(one.ok, one.text))
    yield answers.end(code, error)


async def signal(context: Context, request: Request) -> Answers:
    number = request.signal()
    if request.uid not in (None, 0, os.geteuid()) and number not in FOR_MEMBERS:
        names = ", ".join(sorted(signals.Signals(allowed).name for allowed in FOR_MEMBERS))
        raise RequestRefused(f"members of socket_group may send {names}", FAILED)
    code = OK
    for name in context.selected(request):
        process = context.supervisor.programs[name].current
        if process is None or process.pid is None:
            code = FAILED
            yield answers.result(name, ProgramOutcome(False, "no process"))
            continue
        context.supervisor.consumers.signal(process.child, number)
        yield answers.result(name, ProgramOutcome(True, f"{signal_name(number)} sent to {process.pid}"))
    yield answers.end(code)


async def shutdown(context: Context, request: Request) -> Answers:
    if request.queues:
        raise RequestRefused("shutdown stops the supervisor; to stop queues, use stop", USAGE)
    supervisor = context.supervisor
    now = bool(request.options.get("now"))
    if not supervisor.stopping:
        supervisor.shut_down("shutdown --now" if now else "shutdown")
    if now:
        supervisor.force("shutdown")
    yield answers.text("shutting down")
    if request.waits and not await supervisor.waiters.until(
        lambda: all(program.gone for program in supervisor.programs.values()), request.timeout()
    ):
        yield answers.end(TIMED_OUT, "still shutting down")
        return
    yield answers.end(OK)
