"""Signal dispositions of children."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

from squids.process.signals import signal_name

PROGRAM = """
import json, os, signal, sys
sys.path.insert(0, os.getcwd())
from squids.process.signals import restore_defaults
signal.signal(signal.SIGTERM, lambda *_: None)
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
before = {n: signal.getsignal(n) for n in signal.valid_signals()}
restore_defaults()
names = {signal.SIG_DFL: "default", signal.SIG_IGN: "ignored", signal.default_int_handler: "interrupt"}
print(json.dumps({
    "dispositions": {int(n): names.get(signal.getsignal(n), "other") for n in signal.valid_signals()},
    "blocked": [int(n) for n in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
}))
"""


def test_all_are_pythons_own_whatever_was_inherited():
    """Also where SIGINT was ignored, as in the background of a plain shell; and nothing is blocked."""

    def as_in_the_background() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGQUIT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        preexec_fn=as_in_the_background,
        check=False,
    )
    answer = json.loads(done.stdout)
    assert answer["blocked"] == []
    dispositions = {int(number): name for number, name in answer["dispositions"].items()}
    assert dispositions.pop(signal.SIGINT) == "interrupt"
    assert dispositions.pop(signal.SIGPIPE) == "ignored"
    dispositions.pop(signal.SIGXFSZ)
    assert set(dispositions.values()) == {"default"}


def test_a_signal_has_a_name_or_a_number():
    assert signal_name(9) == "SIGKILL"
    assert signal_name(63) == "signal 63"
