"""From the text of --app to an App, or to an error that helps."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

import squids
from squids.errors import AppImportFailed, AppNotFound, ConfigurationError
from squids.loading import load_app

Write = Callable[[str, str], None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch) -> Write:
    """Write a module to where apps are looked for; afterwards none of them was ever imported."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    _forget_modules()

    def write(name: str, source: str) -> None:
        file = tmp_path / (name.replace(".", "/") + ".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(source))

    yield write
    _forget_modules()


def _forget_modules() -> None:
    """Also those of other tests' files."""
    for name in [*sys.modules]:
        if name.partition(".")[0] in ("shopkeeper", "package_of_apps"):
            del sys.modules[name]


APP = """
    import squids
    app = squids.App("shop")
    class holder:
        inner = app
    def make():
        return app
    number = 3
"""


@pytest.mark.parametrize(
    "path", ["shopkeeper.app", "shopkeeper:app", "shopkeeper:holder.inner", "package_of_apps.mail:app"]
)
def test_an_app_is_found_by_either_way_of_writing(write, path):
    write("shopkeeper", APP)
    write("package_of_apps.mail", APP)
    assert isinstance(load_app(path), squids.App)


@pytest.mark.parametrize(
    "path", ["", "app", ":app", "shop:", "shop:app + 1", "shop/tasks.py:app", "a b.app", "..app"]
)
def test_what_says_no_place_is_told_how_to_say_one(path):
    with pytest.raises(AppNotFound, match=r"write module\.app or module:app"):
        load_app(path)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("shopkeper:app", "there is no module shopkeper; did you mean shopkeeper?"),
        ("package_of_apps.mial:app", "did you mean package_of_apps.mail?"),
        ("qzxv_qzxv:app", "there is no module qzxv_qzxv in {directory}"),
        ("shopkeeper:apq", "module shopkeeper has no apq; did you mean app?"),
        (
            "shopkeeper:make",
            "did you mean shopkeeper:app? If it makes the app, write shopkeeper:make()",
        ),
        (
            "package_of_apps.mail",
            "package_of_apps.mail is a module: write package_of_apps.mail:NAME, with the name of its app",
        ),
        ("shopkeeper:holder", "is the class holder, not a squids.App"),
        ("shopkeeper:number", "is an int, not a squids.App"),
        ("package_of_apps.mail.squids", "is a module, not a squids.App"),
    ],
)
def test_what_is_not_there_is_named_with_what_may_be_meant(write, tmp_path, path, says):
    """A restart cannot heal it."""
    write("shopkeeper", APP)
    write("package_of_apps.mail", APP)
    with pytest.raises(AppNotFound) as caught:
        load_app(path)
    assert says.format(directory=tmp_path) in str(caught.value)
    assert isinstance(caught.value, ConfigurationError)


@pytest.mark.parametrize(
    ("source", "last"),
    [
        (
            "import squids\nimport no_such_library_here",
            "ModuleNotFoundError: No module named 'no_such_library_here'",
        ),
        ("def broken():\n    return {}['key']\nbroken()", "KeyError: 'key'"),
        ("import sys\nsys.exit()", "SystemExit"),
        ("app = (", "SyntaxError: '(' was never closed"),
    ],
    ids=["a library is missing", "it raises", "it exits", "it is no Python"],
)
def test_a_module_that_raises_shows_the_users_own_traceback(write, source, last):
    """A restart may heal it: a library is being installed, a file is half written. sys.exit is no good end."""
    write("shopkeeper", source)
    with pytest.raises(AppImportFailed) as caught:
        load_app("shopkeeper:app")
    text = str(caught.value)
    assert text.splitlines()[-1] == last
    assert "shopkeeper.py" in text
    assert "loading.py" not in text and "importlib" not in text
    assert not isinstance(caught.value, ConfigurationError)


def test_ctrl_c_while_it_is_imported_is_ctrl_c(write):
    write("shopkeeper", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load_app("shopkeeper:app")


FACTORIES = """
    import squids

    class Web:
        def __init__(self, **attributes):
            vars(self).update(attributes)

    def make(name="shop", *, tasks=()):
        app = squids.App(name)
        for task in tasks:
            app.task("emails", name=task)(lambda: None)
        return app

    class Holder:
        make = staticmethod(make)

    def needs(env, debug=False):
        return make(env)

    def fails():
        return {}["key"]

    def exits():
        raise SystemExit

    async def waits():
        return make()

    def forgets():
        make()

    def web():
        return Web(squids=make())

    def extended():
        return Web(parts={"squids": make()})

    number = 3
"""


@pytest.mark.parametrize(
    ("path", "name", "tasks"),
    [
        ("shopkeeper:make()", "shop", []),
        ("shopkeeper.make()", "shop", []),
        ("shopkeeper:make('a.b:c')", "a.b:c", []),
        ("shopkeeper.make('a.b:c(d)')", "a.b:c(d)", []),
        ("shopkeeper:make('eu', tasks=['one', \"two\"])", "eu", ["one", "two"]),
        ("shopkeeper:Holder.make()", "shop", []),
        ("shopkeeper:needs('eu', True)", "eu", []),
        ("shopkeeper:web().squids", "shop", []),
    ],
)
def test_a_factory_is_called_with_its_literal_arguments(write, path, name, tasks):
    write("shopkeeper", FACTORIES)
    app = load_app(path)
    assert (app.name, list(app.tasks)) == (name, tasks)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("shopkeeper:make", "is a function, not a squids.App; if it makes the app, write shopkeeper:make()"),
        ("shopkeeper:needs()", "missing a required argument: 'env'; write the arguments of shopkeeper:needs"),
        ("shopkeeper:needs()", "(env, debug=False) as literals"),
        ("shopkeeper:make(5, 6)", "too many positional arguments"),
        ("shopkeeper:make(nam=5)", "unexpected keyword argument 'nam'"),
        ("shopkeeper:mak()", "module shopkeeper has no mak; did you mean make?"),
        ("shopkeeper:Holder.mak()", "shopkeeper:Holder has no mak; did you mean make?"),
        ("shopkeeper:number()", "shopkeeper:number is an int, which cannot be called"),
        ("shopkeeper:waits()", "shopkeeper:waits is async"),
        ("shopkeeper:forgets()", "returned None, not a squids.App; does it end with `return app`?"),
        ("shopkeeper:web()", "returned a Web, not a squids.App; did you mean shopkeeper:web().squids?"),
        ("shopkeeper:extended()", "; its parts['squids'] is one: give that a name in shopkeeper"),
        ("shopkeeper:make(number)", "the arguments of a factory are literals"),
        ("shopkeeper:make(**{})", "the arguments of a factory are literals"),
    ],
)
def test_a_factory_that_makes_no_app_is_told_why(write, path, says):
    """A restart cannot heal it."""
    write("shopkeeper", FACTORIES)
    with pytest.raises(AppNotFound) as caught:
        load_app(path)
    assert says in str(caught.value)


def test_an_app_that_is_called_like_a_factory_is_no_factory(write):
    write("shopkeeper", APP)
    with pytest.raises(AppNotFound, match="is an app, not a function that makes one; write shopkeeper:app"):
        load_app("shopkeeper:app()")


@pytest.mark.parametrize(("factory", "last"), [("fails", "KeyError: 'key'"), ("exits", "SystemExit")])
def test_a_factory_that_raises_shows_its_own_traceback(write, factory, last):
    write("shopkeeper", FACTORIES)
    with pytest.raises(AppImportFailed) as caught:
        load_app(f"shopkeeper:{factory}()")
    text = str(caught.value)
    assert text.splitlines()[-1] == last
    assert f"in {factory}" in text and "loading.py" not in text


def test_an_app_of_another_module_is_named(write):
    """As where the web application and the app of squids have modules of their own."""
    write("shopkeeper", APP)
    write("package_of_apps.web", "import shopkeeper\napp = 5\n")
    with pytest.raises(AppNotFound, match=r"is an int, not a squids\.App; did you mean shopkeeper:app\?"):
        load_app("package_of_apps.web:app")


TASKS = """
    import squids
    class App(squids.App):
        def import_tasks(self):
            import shopkeeper_tasks
    app = App("shop")
"""


def test_an_app_imports_its_tasks_once_its_module_is_complete(write):
    write("shopkeeper", TASKS.replace("shopkeeper_tasks", "package_of_apps.tasks"))
    write("package_of_apps.tasks", "from shopkeeper import app\n@app.task('emails')\ndef mail(): pass")
    assert list(load_app("shopkeeper:app").tasks) == ["package_of_apps.tasks.mail"]


def test_tasks_whose_import_fails_are_as_a_module_whose_import_fails(write):
    write("shopkeeper", TASKS.replace("shopkeeper_tasks", "package_of_apps.tasks"))
    write("package_of_apps.tasks", "import no_such_module")
    with pytest.raises(AppImportFailed, match=r"package_of_apps/tasks\.py.*\n.*no_such_module") as caught:
        load_app("shopkeeper:app")
    assert "squids" not in str(caught.value)


def test_a_configuration_that_tasks_find_wrong_is_raised_as_it_is(write):
    write("shopkeeper", TASKS.replace("import shopkeeper_tasks", "raise squids.ConfigurationError('no')"))
    with pytest.raises(ConfigurationError, match=r"^no$"):
        load_app("shopkeeper:app")
