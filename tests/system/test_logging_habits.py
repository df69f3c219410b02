"""What applications do with logging at import, each as a whole program, under all that runs one.

squids says that it receives, what failed, which worker was lost, and that it drains. What the application's own
handler writes in the workers is there, too.
"""

from __future__ import annotations

import signal

import pytest

from tests.support import journal
from tests.support.processes import call
from tests.support.waiting import wait_until

HEAD = """
import logging, logging.config, logging.handlers, os, queue, socket, sys, threading, time, warnings

QUEUE = os.environ["QUEUE"]
OWN = QUEUE + ".log"  # What the application writes itself.
root, shop = logging.getLogger(), logging.getLogger("shop")

def own(formatter=None, kind=logging.FileHandler, **more):
    handler = kind(OWN, **more)
    handler.setFormatter(formatter or logging.Formatter("%(levelname)s %(name)s %(message)s"))
    return handler
"""

TASKS = (
    journal.SOURCE
    + """
import squids

app = squids.App("shop")

@app.task(QUEUE)
def fail():
    shop.warning("about to fail")
    raise LookupError("nothing to ship")

@app.task(QUEUE)
def die():
    if not os.path.exists(QUEUE + ".died"):
        open(QUEUE + ".died", "w").close()
        os.kill(os.getpid(), 9)
"""
)

PLAIN = {
    "rotation": "root.addHandler(own(kind=logging.handlers.RotatingFileHandler, maxBytes=1 << 20, backupCount=1))",
    "disable_existing": "logging.getLogger('squids')\nlogging.config.dictConfig({'version': 1, 'handlers': {'own': "
    "{'class': 'logging.FileHandler', 'filename': OWN}}, 'root': {'handlers': ['own']}})\nshop = logging.getLogger('after')",
    "fileconfig": "import io\nlogging.config.fileConfig(io.StringIO('[loggers]\\nkeys=root\\n[handlers]\\nkeys=own\\n"
    "[formatters]\\nkeys=\\n[logger_root]\\nhandlers=own\\n[handler_own]\\nclass=FileHandler\\nargs=(%r,)\\n' % OWN))\nshop = logging.getLogger('after')",
    "filters": "class No(logging.Filter):\n    def filter(self, record): return not record.name.startswith('squids')\n"
    "root.addHandler(own())\nroot.addFilter(No())\nroot.handlers[0].addFilter(No())",
    "propagate": "shop.addHandler(own())\nshop.propagate = False\nlogging.getLogger('squids').propagate = False",
    "cleared": "root.handlers.clear()\nroot.addHandler(own())\nlogging.lastResort = None\nlogging.raiseExceptions = False",
    "factory": "made = logging.getLogRecordFactory()\ndef factory(*args, **kwargs):\n    record = made(*args, **kwargs)\n"
    "    record.request = 'none'\n    return record\nlogging.setLogRecordFactory(factory)\n"
    "root.addHandler(own(logging.Formatter('%(request)s %(message)s')))",
    "logger_class": "class Silent(logging.Logger):\n    def handle(self, record):\n        if self.name != 'squids': super().handle(record)\n"
    "logging.setLoggerClass(Silent)\nlogging.Logger.manager.loggerDict.clear()\nshop = logging.getLogger('shop')\nshop.addHandler(own())",
    "raises": "class Bad(logging.Handler):\n    def emit(self, record):\n        if record.name == 'squids': raise RuntimeError\n"
    "root.addHandler(Bad())\nroot.addHandler(own())\nroot.setLevel('INFO')",
    "blocks": "class Blocks(logging.Handler):\n    def emit(self, record):\n        if record.name == 'squids': time.sleep(3600)\n"
    "root.addHandler(own())\nroot.addHandler(Blocks())\nroot.setLevel('INFO')",
    "patched": "root.addHandler(own())\nfor one in (logging.Logger, logging.Handler):\n    one.handle = (lambda old: lambda self, record: "
    "old(self, record) if record.name != 'squids' else None)(one.handle)",
    "queue_thread": "waiting = queue.Queue()\nlogging.handlers.QueueListener(waiting, own()).start()\n"
    "root.addHandler(logging.handlers.QueueHandler(waiting))",
    "warnings": "logging.captureWarnings(True)\nroot.addHandler(own())\nwarnings.warn('at import')",
    "dead_socket": "root.addHandler(own())\nroot.addHandler(logging.handlers.SysLogHandler(('127.0.0.1', 9)))\n"
    "logging.raiseExceptions = False",
    "closed_stdout": "root.addHandler(own())\nsys.stdout.close()\ntry:\n    print('at import')\nexcept ValueError:\n    pass",
    "no_streams": "root.addHandler(own())\nsys.stdout = sys.stderr = None",
    "structlog": "import structlog\nroot.addHandler(own(structlog.stdlib.ProcessorFormatter(processors=["
    "structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()], "
    "foreign_pre_chain=[structlog.stdlib.add_logger_name])))\n"
    "structlog.configure(processors=[structlog.stdlib.ProcessorFormatter.wrap_for_formatter], "
    "logger_factory=structlog.stdlib.LoggerFactory())\nshop = structlog.get_logger('shop')",
    "loguru": "from loguru import logger as shop\nshop.remove()\nshop.add(OWN, enqueue=True)\n"
    "class Intercept(logging.Handler):\n    def emit(self, record): shop.log(record.levelname, record.getMessage())\n"
    "logging.basicConfig(handlers=[Intercept()], level=0, force=True)",
}  # fmt: skip

MUTE = {
    "disabled": "logging.disable(logging.CRITICAL)\nroot.addHandler(own())",
    "sentry": "import sentry_sdk\nfrom sentry_sdk.integrations.logging import LoggingIntegration\n"
    "sentry_sdk.init('http://key@127.0.0.1:9/1', integrations=[LoggingIntegration(event_level='ERROR')])\nroot.addHandler(own())\n"
    "logging.disable(logging.CRITICAL)",
}  # fmt: skip
"""These want no lines of their own."""

HABITS = PLAIN | MUTE

pytestmark = pytest.mark.slow


def code(habit):
    return f"{HEAD}\n{HABITS[habit]}\n{TASKS}"


def own_lines(up, habit):
    path = up.directory / f"{habit}.log"
    return path.read_text() if path.exists() else ""


SOME = ("disable_existing", "factory", "loguru")


@pytest.mark.parametrize(
    ("arguments", "habits"),
    [((), HABITS), (("--reload",), HABITS), (("--dev",), SOME)],
    ids=["supervisor", "reload", "dev"],
)
def test_under_a_supervisor(strict_sqs, supervisor, arguments, habits):
    up = supervisor(strict_sqs.endpoint_url, "")
    for habit in habits:
        strict_sqs.create(habit)
        (up.directory / f"with_{habit}.py").write_text(code(habit))
    up.write(
        {habit: {"app": f"with_{habit}:app", "environment": {"QUEUE": habit}} for habit in habits},
        defaults={"start_timeout": 120, "shutdown_timeout": 5, "retry_delay": 600},
        supervisor={"log_format": "text"},
    ).start(*arguments)
    done = up.verb("wait", "--timeout", "120", seconds=150)
    assert done.returncode == 0, done.stdout + done.stderr + up.text
    for habit in habits:
        for task in ("fail", "die"):
            if "--dev" in arguments:  # It has an SQS of its own.
                sent = up.verb("send", f"with_{habit}.{task}", "{}")
                assert sent.returncode == 0, sent.stdout + sent.stderr
            else:
                strict_sqs.put(habit, call(task, module=f"with_{habit}"))
    for habit in habits:
        wait_until(
            lambda habit=habit: (
                any(f"{habit}: task failed: LookupError: nothing to ship" in line for line in up.output)
                and any(f"{habit}: task lost, its worker" in line for line in up.output)
            ),
            what=lambda habit=habit: f"the failures of {habit}\n{up.text}",
            seconds=60,
        )
    for habit in set(habits) & set(PLAIN):
        wait_until(
            lambda habit=habit: "about to fail" in own_lines(up, habit),
            what=lambda habit=habit: f"{habit}.log\n{own_lines(up, habit)}\n{up.text}",
        )
    assert up.stop() == 0
    for habit in habits:
        for text in ("receiving", "stopped by the supervisor: draining", "stopped"):
            assert f"INFO    {habit}: {text}" in up.text, habit


# In one process, what blocks the application's handlers blocks all that logs, such as botocore.
ALONE = [(habit, workers) for habit in HABITS for workers in "10" if (habit, workers) != ("blocks", "0")]


@pytest.mark.parametrize(("habit", "workers"), ALONE)
def test_alone(strict_sqs, squids_process, habit, workers):
    strict_sqs.create("tests")
    up = squids_process(strict_sqs.endpoint_url, code(habit), QUEUE="tests")
    up.start("--workers", workers, "--retry-delay", "600", "--shutdown-timeout", "5").ready()
    strict_sqs.put("tests", call("fail"))
    (failed,) = up.wait_for("task_failed")
    assert "ERROR   task failed: LookupError: nothing to ship" in failed
    if workers == "1":
        strict_sqs.put("tests", call("die"))
        up.wait_for("worker_died")
    if habit in PLAIN:
        wait_until(lambda: "about to fail" in own_lines(up, "tests"), what=lambda: up.text)
    up.signal(signal.SIGTERM)
    assert up.wait() == 0
    assert len(up.actions("stopping")) == len(up.actions("stopped")) == 1
