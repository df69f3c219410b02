"""Calls in threads that hold up nobody: not the loop, not the process, and no more of them than allowed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from squids.supervisor import threads
from squids.supervisor.threads import NoThread, in_thread


def test_a_call_comes_back_with_what_it_came_to():
    async def run():
        assert await in_thread(lambda: 3) == 3
        with pytest.raises(ZeroDivisionError):
            await in_thread(lambda: 1 // 0)

    asyncio.run(run())


def test_a_call_that_never_returns_holds_up_neither_loop_nor_process():
    program = """
import asyncio, threading
from squids.supervisor.threads import in_thread
async def main():
    hangs = asyncio.ensure_future(in_thread(threading.Event().wait))
    print(await in_thread(lambda: "the others go on"))
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("the others go on\n", "", 0)


def test_so_many_calls_that_hang_and_no_more(monkeypatch):
    """A poll of the status each second must not end in a thread for each."""
    monkeypatch.setattr(threads, "_places", threading.BoundedSemaphore(2))
    let_go = threading.Event()

    async def run():
        hanging = [asyncio.ensure_future(in_thread(let_go.wait)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(NoThread, match="do not return"):
            await in_thread(lambda: None)
        let_go.set()
        await asyncio.gather(*hanging)
        assert await in_thread(lambda: 1) == 1

    asyncio.run(run())


def test_a_system_that_refuses_a_thread_is_told_and_costs_no_place(monkeypatch):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    async def run():
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", refuse)
            for _ in range(threads.MAX_THREADS + 1):
                with pytest.raises(NoThread, match="can't start new thread"):
                    await in_thread(lambda: None)
        assert await in_thread(lambda: 1) == 1

    asyncio.run(run())
