"""Names and aliases of tasks: what clashes, and what an unknown name may mean."""

from __future__ import annotations

import functools
import importlib
import json
import pickle
import sys
import types
import warnings
from typing import Any

import pytest

import squids
from squids.delivery import Delivery
from squids.errors import DuplicateTask, UnknownTask
from squids.execute import execute
from squids.job import JobEnd
from squids.registry import innermost, no_task_for, place_of


@pytest.fixture
def app() -> squids.App:
    return squids.App("shop")


def executed(app: squids.App, name: str) -> Any:
    body = json.dumps({"task": name})
    return execute(Delivery("m1", "r", body), "emails", app.registry.by_any_name, app.hooks)


def mail() -> None: ...


def letter() -> None: ...


def careless(function):
    def wrapper():
        return function()

    return wrapper


def test_a_task_may_have_a_name_of_its_own(app):
    """Also one that has none, as a partial."""
    assert app.task("emails", name="shop.mail")(mail).name == "shop.mail"
    assert app.task("emails", name="shop.partial")(functools.partial(mail)).name == "shop.partial"
    assert list(app.tasks) == ["shop.mail", "shop.partial"]


def test_a_task_answers_to_its_aliases_and_knows_itself_by_its_name(app):
    """As for one that was moved while messages with its old name wait. Sends, counts and lists know the name."""
    seen: list[Any] = []

    @app.task("emails", name="shop.mail", aliases=["shop.tasks.mail", "shop.mail"])
    def moved():
        job = squids.current_job()
        assert job is not None
        seen.append((job.task, moved.id))

    for name in ("shop.mail", "shop.tasks.mail"):
        outcome = executed(app, name)
        assert (outcome.end, outcome.task) == (JobEnd.DONE, "shop.mail")
    assert seen == [("shop.mail", "m1")] * 2
    assert list(app.tasks) == ["shop.mail"]


@pytest.mark.parametrize(
    ("name", "aliases", "says"),
    [
        ("a.one", [], "the app shop has a task a.one already"),
        ("a.uno", [], "the task a.one of the app shop answers to a.uno already"),
        ("a.two", ["a.one"], "the alias a.one of a.two is taken: the app shop has a task a.one already"),
        ("a.two", ["a.uno"], "the alias a.uno of a.two is taken: the task a.one of the app shop answers"),
    ],
)
def test_two_tasks_never_share_a_name_or_an_alias(app, name, aliases, says):
    """The first stays, and nothing of the second is known. Both places are named."""
    first = app.task("emails", name="a.one", aliases=["a.uno"])(mail)
    with pytest.raises(DuplicateTask) as caught:
        app.task("emails", name=name, aliases=aliases)(letter)
    assert str(caught.value).startswith(says)
    assert f"from {__file__}:{mail.__code__.co_firstlineno}" in str(caught.value)
    assert f"this one is from {__file__}:{letter.__code__.co_firstlineno}" in str(caught.value)
    assert dict(app.registry.by_any_name) == {"a.one": first, "a.uno": first}


@pytest.mark.parametrize(
    ("names", "error"),
    [
        ({"name": ""}, ValueError),
        ({"name": "shop mail"}, ValueError),
        ({"name": "shop.mail\n"}, ValueError),
        ({"name": "x" * 257}, ValueError),
        ({"name": 5}, TypeError),
        ({"aliases": "shop.mail"}, TypeError),
        ({"aliases": [5]}, TypeError),
        ({"aliases": [""]}, ValueError),
    ],
)
def test_what_cannot_be_a_name_is_refused(app, names, error):
    with pytest.raises(error, match="name"):
        app.task("emails", **names)(mail)
    assert not app.tasks


def test_a_decorator_without_wraps_is_named_when_it_makes_one_task_and_when_it_makes_two(app):
    with pytest.warns(UserWarning, match=r"careless\.<locals>\.wrapper.*add @functools\.wraps") as caught:
        app.task("emails")(careless(mail))
    assert caught[0].filename == __file__
    with (
        pytest.warns(UserWarning, match="is named"),
        pytest.raises(DuplicateTask, match=r"add @functools\.wraps\(func\) to its wrapper"),
    ):
        app.task("emails")(careless(letter))


def test_a_name_of_its_own_is_an_answer_to_that(app):
    app.task("emails", name="shop.mail")(careless(mail))
    app.task("emails", name="shop.letter")(careless(letter))
    with pytest.raises(DuplicateTask, match=r"functools\.wraps"):
        app.task("emails", name="shop.mail")(careless(letter))


def test_a_function_of_a_function_that_still_runs_is_no_mistake(app):
    """As in the factory of an app, whatever helpers register its tasks."""

    def register(function):
        return app.task("emails")(function)

    def factory():
        @register
        def mail(): ...

        return mail

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert factory().name.endswith(".factory.<locals>.mail")


def test_a_named_task_is_pickled_by_its_place(app, monkeypatch):
    """Its name is of no module."""
    module = types.ModuleType("shopkeeper")
    monkeypatch.setitem(sys.modules, "shopkeeper", module)
    exec("def mail(): ...", vars(module))
    module.mail = app.task("emails", name="other.name")(module.mail)
    assert pickle.loads(pickle.dumps(module.mail)) is module.mail


@pytest.mark.parametrize(("known", "asked"), [("shop.mail", "src.shop.mail"), ("src.shop.mail", "shop.mail")])
def test_a_module_by_another_path_is_recognized_in_an_unknown_name(app, known, asked):
    app.task("emails", name=known)(mail)
    text = executed(app, asked).error
    assert f"did you mean {known}? One module was imported by two paths" in text


def test_a_task_of_another_app_of_the_process_is_found_there(app):
    other = squids.App("other")
    other.task("emails", name="elsewhere.mail")(mail)
    assert f"another app of this process has it, other of {__name__}" in executed(app, "elsewhere.mail").error


def test_a_file_that_is_imported_by_two_names_is_told_so_when_it_makes_the_second_app(tmp_path, monkeypatch):
    package = tmp_path / "keeper_src"
    package.mkdir()
    (package / "shopkeeper_twice.py").write_text("import squids\n\napp = squids.App('shop')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(package)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    first = importlib.import_module("shopkeeper_twice")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        importlib.reload(first)
    with pytest.warns(UserWarning, match="imported as shopkeeper_twice and as keeper_src.shopkeeper_twice"):
        second = importlib.import_module("keeper_src.shopkeeper_twice")
    assert first.app is not second.app
    for name in ("shopkeeper_twice", "keeper_src.shopkeeper_twice", "keeper_src"):
        monkeypatch.delitem(sys.modules, name)


def test_apps_that_one_line_makes_are_no_mistake():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = [squids.App(name) for name in ("one", "two")]
    assert len(made) == 2


def test_a_function_is_found_within_decorators_and_partials():
    wrapped = functools.wraps(mail)(functools.partial(functools.lru_cache(mail)))
    assert innermost(wrapped) is mail
    assert place_of(wrapped) == (__file__, mail.__code__.co_firstlineno)
    assert place_of(print) is None


@pytest.mark.parametrize(
    ("queues", "says"),
    [
        (["emails"], None),
        (["reports", "https://sqs.eu-west-1.amazonaws.com/123456789012/emails"], None),
        ([], "the app has no tasks"),
        (["b", "a", "a"], "no task for the queue emails; it has tasks for: a, b. Only"),
        ([f"q{number:02}" for number in range(12)], "q08, q09, .... Only"),
    ],
)
def test_a_queue_that_no_task_is_sent_to_is_named_with_those_of_tasks(app, queues, says):
    for number, queue in enumerate(queues):
        app.task(queue, name=f"shop.{number}", aliases=[f"old.{number}"])(mail)
    warning = no_task_for("emails", app.tasks)
    assert (warning is None) if says is None else (says in warning)


def test_a_queue_that_calls_may_be_sent_to_besides_is_no_mistake(app):
    app.task("letters")(mail).other_queues = ["emails"]
    assert no_task_for("emails", app.tasks) is None
    assert no_task_for("parcels", app.tasks) is not None


def test_a_task_that_is_found_only_when_it_is_named_runs_then(app):
    """As one of a module that is imported only then. What is merely asked for is not looked for."""
    asked = []

    def find(name: str) -> None:
        asked.append(name)
        if name == "shop.late":
            app.task("emails", name=name)(mail)

    app.registry.find_by(find)
    assert "shop.late" not in app.registry.by_any_name
    assert app.registry.by_any_name.get("shop.late") is None
    assert [executed(app, "shop.late").end for _ in range(2)] == [JobEnd.DONE] * 2
    assert executed(app, "shop.never").end is JobEnd.BAD_MESSAGE
    assert asked == ["shop.late", "shop.never"]


def test_why_a_task_was_not_found_is_said_by_who_looked(app):
    def find(name: str) -> None:
        raise UnknownTask(f"{name} does not import")

    app.registry.find_by(find)
    outcome = executed(app, "shop.late")
    assert (outcome.end, outcome.error) == (JobEnd.BAD_MESSAGE, "shop.late does not import")
