"""What a task returned that has not done its work, and what shows that before it is called."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import itertools
import json
import warnings
from collections.abc import Callable
from typing import Any

import pytest

import squids
from squids.delivery import Delivery
from squids.execute import execute
from squids.job import JobEnd
from squids.testing import eager
from squids.unfinished import check_returned, kind_of_function

ran: list[object] = []


async def coroutine():
    ran.append("coroutine")


def generator():
    ran.append("generator")
    yield


async def async_generator():
    ran.append("async generator")
    yield


class AsyncCall:
    async def __call__(self):
        ran.append("call")


class Awaitable:
    def __await__(self):
        ran.append("awaitable")
        yield


class Proxy:
    """As a web framework has them: another object stands behind it, or none."""

    looked_at = False

    @property
    def __class__(self):
        type(self).looked_at = True
        raise RuntimeError("outside of a request")


@functools.wraps(coroutine)
def wrapper():
    """Seen from outside, it could as well await what it wraps."""
    return coroutine()


@functools.lru_cache
def remembered():
    return coroutine()


@contextlib.contextmanager
def context():
    ran.append("context")
    yield


RETURN_UNFINISHED: list[Callable[[], Any]] = [
    wrapper,
    remembered,
    context,
    lambda: coroutine(),
    lambda: generator(),
    lambda: async_generator(),
    lambda: AsyncCall()(),
    lambda: Awaitable(),
    lambda: contextlib.asynccontextmanager(async_generator)(),
    lambda: (ran.append(number) for number in range(3)),
    lambda: map(ran.append, [1, 2]),
    lambda: filter(ran.append, [1, 2]),
    lambda: itertools.starmap(ran.append, [(1,)]),
    lambda: [coroutine() for _ in range(3)],
    lambda: ("first", coroutine()),
]


@pytest.fixture
def app() -> squids.App:
    return squids.App("shop")


@pytest.fixture(autouse=True)
def _nothing_ran():
    yield
    seen, ran[:] = list(ran), []
    gc.collect()
    assert seen == []


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("function", RETURN_UNFINISHED)
def test_a_task_whose_work_was_not_done_has_failed(app, function):
    """Its message is kept. Python has no warning to add: the failure says it."""
    task = app.task("emails")(functools.wraps(function)(lambda: function()))
    outcome = execute(Delivery("m1", "r", json.dumps({"task": task.name})), "emails", app.tasks, app.hooks)
    assert (outcome.end, outcome.task) == (JobEnd.FAILED, task.name)
    assert isinstance(outcome.exception, squids.NeverRan)
    assert f"{task.name} returned a" in outcome.error and "its work was not done" in outcome.error


def test_it_fails_in_a_test_as_in_a_worker(app):
    @app.task("emails")
    def mail():
        return coroutine()

    with eager(app), pytest.raises(squids.NeverRan, match=r"of coroutine \(.*test_unfinished.py:\d+\)"):
        mail.send()


def test_the_hook_after_the_task_runs_as_after_any_failure(app):
    seen: list[str] = []
    task = app.task("emails")(wrapper)
    app.post_task(lambda task: seen.append(task.name))
    execute(Delivery("m1", "r", json.dumps({"task": task.name})), "emails", app.tasks, app.hooks)
    assert seen == [task.name]


def test_a_future_that_nothing_waits_for_is_unfinished_and_one_with_a_result_is_not():
    loop = asyncio.new_event_loop()
    future = loop.create_future()
    with pytest.raises(squids.NeverRan, match="a Future, which nothing awaits"):
        check_returned(future, "shop.mail")
    future.set_result(1)
    check_returned(future, "shop.mail")
    loop.close()


def test_what_was_read_or_awaited_to_its_end_has_done_its_work():
    read, awaited = (number for number in range(3)), asyncio.sleep(0)
    list(read)
    asyncio.run(awaited)
    check_returned(read, "shop.mail")
    check_returned(awaited, "shop.mail")


def test_a_generator_that_was_read_in_part_is_unfinished():
    half = (number for number in range(3))
    next(half)
    with pytest.raises(squids.NeverRan):
        check_returned(half, "shop.mail")


def test_a_generator_that_fails_when_it_is_closed_changes_nothing():
    def stubborn():
        try:
            yield
        finally:
            raise SystemExit

    half = stubborn()
    next(half)
    with pytest.raises(squids.NeverRan):
        check_returned(half, "shop.mail")


@pytest.mark.parametrize(
    "returned",
    [0, "text", [], {}, range(3), iter([]), zip([1], [2], strict=True), generator, Awaitable],
)
def test_values_are_results(returned):
    """Also what can be iterated, if its work is done when it is made: a cursor of a database, a file."""
    check_returned(returned, "shop.mail")


def test_what_stands_behind_a_proxy_is_not_asked_for():
    check_returned(Proxy(), "shop.mail")
    assert not Proxy.looked_at


@pytest.mark.parametrize(
    ("function", "kind"),
    [
        (coroutine, "async"),
        (AsyncCall(), "async"),
        (AsyncCall().__call__, "async"),
        (functools.partial(coroutine), "async"),
        (functools.partial(functools.partial(AsyncCall())), "async"),
        (generator, "a generator"),
        (functools.partial(generator), "a generator"),
        (async_generator, "a generator"),
        (wrapper, None),
        (print, None),
        (lambda: generator(), None),
        (functools.partial(print), None),
    ],
)
def test_what_a_function_shows_before_it_is_called(function, kind):
    assert kind_of_function(function) == kind


@pytest.mark.parametrize(
    ("run", "says"),
    [
        (coroutine, r"Mail\.run is async"),
        (generator, r"Mail\.run is a generator"),
        (async_generator, r"Mail\.run is a generator"),
        (functools.partialmethod(print), None),
        (staticmethod(coroutine), r"Mail\.run is async"),
        (AsyncCall(), r"Mail\.run is async"),
    ],
)
def test_a_class_is_refused_like_a_function(app, run, says):
    made = type("Mail", (squids.Task,), {"queue": "emails", "run": run})
    if says is None:
        app.add_task(made)
        return
    with pytest.raises(TypeError, match=says):
        app.add_task(made)
    assert not app.tasks


def test_a_decorator_that_awaits_what_it_wraps_makes_a_task(app):
    """The common way to write a task with `async def`: what is called is what counts."""

    def to_its_end(function):
        @functools.wraps(function)
        def wrapped(*args):
            return asyncio.run(function(*args))

        return wrapped

    seen: list[int] = []

    @app.task("emails")
    @to_its_end
    async def mail(order):
        seen.append(order)

    with eager(app), warnings.catch_warnings():
        warnings.simplefilter("error")
        mail.send(7)
    assert seen == [7]
