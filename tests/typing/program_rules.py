"""Rules of a program are checked. Checked by mypy in tests/typing/test_typing.py, never run."""

from squids.supervisor.program.events import ProcessSpawned, RestartProgram
from squids.supervisor.program.rules import ALL, on_command, on_report

on_command(RestartProgram, ALL, "", lambda program, event, now: program.start(event.generation + now))
on_command(RestartProgram, ALL, "", lambda program, event, now: program.start(event.pid))  # type: ignore[attr-defined]
on_command(ProcessSpawned, ALL, "", lambda program, event, now: program.start(now))  # type: ignore[type-var]

on_report(ProcessSpawned, ALL, "", lambda program, process, event, now: process.spawned(event.pid, now))
on_report(ProcessSpawned, ALL, "", lambda program, process, event, now: process.beat(event.status))  # type: ignore[attr-defined]
on_report(RestartProgram, ALL, "", lambda program, process, event, now: process.beat(now))  # type: ignore[type-var]
