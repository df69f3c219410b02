"""Threads that call: one that the system refuses, and calls that are never answered."""

import asyncio
import socket
import threading

import pytest

from squids.pool.call_threads import Answer, CallThreads, Overdue, ThreadRefused


@pytest.fixture
def refusing(monkeypatch):
    """While the list has something in it, no thread starts."""
    refuse = [True]
    start = threading.Thread.start

    def refused(thread):
        if refuse and thread.name.startswith("calls"):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refused)
    return refuse


async def answer_of(threads: CallThreads, call) -> Answer:
    """Submit a call. Its answer never comes at once: whoever submits is in the midst of deciding."""
    coming: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    threads.submit(call, coming.set_result)
    assert not coming.done()
    return await asyncio.wait_for(coming, 60)


def two_answers(first, second, patience):
    """Of two calls, one after the other, for which there is one thread. The patience is with the first."""

    async def go():
        threads = CallThreads("calls", 1, asyncio.get_running_loop(), patience)
        overdue = await answer_of(threads, first)
        threads._patience = 60.0  # The second one is answered, however slow this machine is.
        answers = [overdue, await answer_of(threads, second)]
        threads.close()
        return answers

    return asyncio.run(go())


def test_a_refused_thread_is_a_failed_call_and_the_next_one_succeeds(refusing):
    async def go():
        threads = CallThreads("calls", 1, asyncio.get_running_loop(), 60.0)
        failed = await answer_of(threads, lambda: 1)
        assert threads.busy == 0
        refusing.clear()
        done = await answer_of(threads, lambda: 2)
        threads.close()
        return failed, done

    failed, done = asyncio.run(go())
    assert isinstance(failed.error, ThreadRefused)
    assert done.value == 2


def test_a_refused_thread_leaves_the_call_to_those_that_are_there(refusing):
    async def go():
        threads = CallThreads("calls", 2, asyncio.get_running_loop(), 60.0)
        answers, go_on, done = [], threading.Event(), asyncio.Event()

        def take(answer):
            answers.append(answer.value)
            if len(answers) == 2:
                done.set()

        refusing.clear()
        threads.submit(lambda: go_on.wait(60) and 1, take)
        refusing.append(True)
        threads.submit(lambda: 2, take)
        go_on.set()
        await asyncio.wait_for(done.wait(), 60)
        threads.close()
        return answers

    assert asyncio.run(go()) == [1, 2]


def test_an_overdue_call_has_failed_and_its_connection_is_cut():
    """The peer never answers; the thread comes back."""
    ours, theirs = socket.socketpair()
    came_back = threading.Event()

    def hang(reader):
        try:
            return reader.readline()
        finally:
            came_back.set()

    with ours, theirs, ours.makefile("rb") as reader:
        failed, done = two_answers(lambda: hang(reader), lambda: came_back.wait(60), patience=0.2)
    assert isinstance(failed.error, Overdue)
    assert done.value is True


def test_calls_that_cannot_be_cut_are_replaced_by_other_threads():
    """It hangs where there is no connection, as a look-up of a name may."""
    free = threading.Event()
    failed, done = two_answers(lambda: free.wait(60), lambda: 2, patience=0.2)
    free.set()
    assert isinstance(failed.error, Overdue)
    assert done.value == 2
