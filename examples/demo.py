"""The demo: a local SQS server, a small shop that sends work, and a `squids-supervisor` that runs it.

One worker and one whole consumer are killed, and one task fails at its first try, on purpose: at the end
all the work is done nevertheless. Run it with `make demo`.

Exit codes: 0 all was done; 1 something was lost or did not start; 130 stopped by Ctrl-C.
"""

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from demo_parts import Journal, LocalSQS, Stopped, Supervisor, Work, isolate_environment, shorten, summary
from shop.tasks import change_order, sales_report, send_receipt

HERE = Path(__file__).resolve().parent
SCRATCH = HERE.parent / ".demo"
GIVE_UP_AFTER = 90.0
"""Seconds for all the work. It takes about twenty; a slow machine gets its chance."""

VICTIM = "2026-05-02"
"""The report whose worker is killed."""

STEPS = ("paid", "packed", "sent")


def main() -> int:
    """Play the demo. Returns the process's exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    shutil.rmtree(SCRATCH, ignore_errors=True)
    SCRATCH.mkdir()
    journal = Journal(SCRATCH / "journal.jsonl")
    isolate_environment()
    os.environ["SHOP_JOURNAL"] = str(journal.path)
    sqs: LocalSQS | None = None
    supervisor: Supervisor | None = None
    try:
        say("Starting a local SQS server")
        sqs = LocalSQS(SCRATCH / "sqs.log")
        os.environ["AWS_ENDPOINT_URL_SQS"] = sqs.url
        say(f"It listens on {sqs.url}")
        say("Making three queues, one of them FIFO, and sending work")
        for queue in ("emails", "reports", "orders.fifo"):
            sqs.create_queue(queue)
        work = send_work()
        say(f"{len(work.keys)} messages sent")
        supervisor = Supervisor(HERE / "squids.yaml", SCRATCH / "supervisor.log")
        say(f"$ {supervisor.command_line}")
        finished = watch(work, journal, supervisor)
        if finished:
            wait_for_deletes(work, sqs)
            say(f"$ {supervisor.command_line} status")
            for line in supervisor.ask("status").splitlines():
                say(line)
        say("Stopping the supervisor (SIGTERM)" if finished else "Giving up. Stopping the supervisor")
        code = supervisor.stop()
        left = {queue: sqs.messages_left(queue) for queue in work.queues}
        return report(work, journal, code, left)
    except Stopped as stopped:
        say(f"Stopped by {stopped.name}. What was not done stayed in its queue")
        return 128 + int(stopped.number)
    finally:
        if supervisor is not None:
            supervisor.stop()
        if sqs is not None:
            sqs.stop()


def send_work() -> Work:
    """Send all the work. Each call returns once SQS has it."""
    work = Work()
    for order in range(1, 41):
        send_receipt.send(order, to=f"customer{order}@example.com")
        work.sent("emails", str(order))
    for day in range(1, 7):
        sales_report.send(f"2026-05-{day:02}")
        work.sent("reports", f"2026-05-{day:02}")
    for step in STEPS:
        for order in range(1, 7):
            group = {"MessageGroupId": f"order-{order}", "MessageDeduplicationId": f"{order}-{step}"}
            change_order.send_job(args=(order, step), options=group)
            work.sent("orders.fifo", f"{order}/{step}")
    return work


def watch(work: Work, journal: Journal, supervisor: Supervisor) -> bool:
    """Show the work being done, and kill two processes. Returns whether all of it was done in time."""
    progress = Progress(work)
    deadline = time.monotonic() + GIVE_UP_AFTER
    victim_alive = consumer_alive = True
    while True:
        journal.read()
        if victim_alive and (pid := journal.running("reports", VICTIM)) is not None:
            progress.interrupt(f"Killing worker {pid} in the middle of the report for {VICTIM} (SIGKILL)")
            os.kill(pid, signal.SIGKILL)
            victim_alive = False
        if (
            consumer_alive
            and work.progress("emails", journal)[0] >= 10
            and (pid := supervisor.ask("pid", "emails"))
        ):
            progress.interrupt(f"Killing the consumer of emails, pid {pid} (SIGKILL)")
            os.kill(int(pid), signal.SIGKILL)
            consumer_alive = False
        for line in supervisor.new_log_lines():
            progress.interrupt(line)
        progress.show(journal)
        if work.is_done(journal):
            return True
        if time.monotonic() > deadline:
            say(f"Not done after {GIVE_UP_AFTER:.0f} s")
            return False
        if (code := supervisor.exit_code()) is not None:
            say(f"The supervisor left by itself, with exit code {code}")
            return False
        time.sleep(0.05)


def wait_for_deletes(work: Work, sqs: LocalSQS) -> None:
    """A message whose task had returned when its consumer was killed, but that was not deleted yet, comes
    back when its visibility times out, and is run once more: at least once is what is guaranteed."""
    deadline = time.monotonic() + GIVE_UP_AFTER
    told = False
    while (left := sum(sqs.messages_left(queue) for queue in work.queues)) and time.monotonic() < deadline:
        if not told and time.monotonic() > deadline - GIVE_UP_AFTER + 1:
            say(f"{left} messages were run, but not deleted before the kill: they come back")
            told = True
        time.sleep(0.2)


class Progress:
    """One line of progress: redrawn in place on a terminal, a new line for each second elsewhere."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._terminal = sys.stdout.isatty()
        self._shown = ""
        self._next = 0.0

    def show(self, journal: Journal) -> None:
        """Show how far each queue is, if it is time to."""
        line = "  ".join(_bar(queue, *self._work.progress(queue, journal)) for queue in self._work.queues)
        if line == self._shown or (time.monotonic() < self._next and not self._work.is_done(journal)):
            return
        self._shown = line
        self._next = time.monotonic() + (0.1 if self._terminal else 1.0)
        if self._terminal:
            print("\r\033[K" + shorten(line), end="", flush=True)
            if self._work.is_done(journal):
                print()
        else:
            say(line)

    def interrupt(self, line: str) -> None:
        """Show another line above the progress."""
        if self._terminal and self._shown:
            print("\r\033[K", end="")
            self._shown = ""
        say(line)


def report(work: Work, journal: Journal, code: int, left: dict[str, int]) -> int:
    """The summary, and the verdict as an exit code."""
    journal.read()
    say("")
    for line in summary(work, journal, left):
        say(line)
    say("")
    checks: list[tuple[str, Callable[[], bool]]] = [
        ("every message was run to its end", lambda: work.is_done(journal)),
        ("no message is left in a queue", lambda: not any(left.values())),
        ("the steps of each order ran in their order", lambda: work.in_order("orders.fifo", journal, STEPS)),
        ("all drained, and the supervisor exited with code 0", lambda: code == 0),
    ]
    verdicts = [(text, check()) for text, check in checks]
    for text, passed in verdicts:
        say(f"  {'yes' if passed else 'NO '}  {text}")
    if all(passed for _, passed in verdicts):
        return 0
    for queue, key in work.missing(journal):
        say(f"  lost: {queue} {key}")
    say(f"The logs are in {SCRATCH}")
    return 1


def say(text: str) -> None:
    """One line for the person who watches, never wider than a terminal of 80 columns."""
    print(shorten(text), flush=True)


def _bar(queue: str, done: int, total: int) -> str:
    filled = done * 8 // total
    return f"{queue} [{'#' * filled}{'.' * (8 - filled)}] {done}/{total}"


def _stop(number: int, frame: object) -> None:
    # Once is enough: what follows is cleaning up, which a second Ctrl-C must not cut.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stopped(number)


if __name__ == "__main__":
    sys.exit(main())
