"""Which changed files count, when, and for whom."""

from __future__ import annotations

import pytest

from squids.supervisor.reload.changes import AppFiles, Debounce, FileFilter, affected, failure_in_short
from squids.supervisor.settings import AppSpec

SHOP = AppSpec("shop:app", "/srv/shop")
ADMIN = AppSpec("admin:app", "/srv/shop")
OTHER = AppSpec("other:app", "/srv/other")


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("/srv/shop/tasks.py", True),
        ("/srv/shop/deep/er/tasks.py", True),
        ("/srv/shop", True),
        ("/lib/outside.py", True),
        ("/lib/unknown.py", False),
        ("/srv/shop/app.log", False),
        ("/srv/shop/data.sqlite3", False),
        ("/srv/shop/.tasks.py.swp", False),
        ("/srv/shop/.#tasks.py", False),
        ("/srv/shop/tasks.py~", False),
        ("/srv/shop/4913", False),
        ("/srv/shop/__pycache__/tasks.cpython-311.pyc", False),
        ("/srv/shop/.venv/lib/thing.py", False),
        ("/srv/shop/.git/hooks/x.py", False),
        ("/srv/shop/node_modules/x/setup.py", False),
        ("/srv/shop/page.html", True),
        ("/srv/shop/migrations/0001.py", False),
        ("/srv/shop/old/a.py", False),
        ("/srv/shop/older/a.py", True),
    ],
)
def test_code_counts_and_nothing_else(path, counts):
    sieve = FileFilter(
        roots=("/srv/shop",),
        files=frozenset(["/lib/outside.py"]),
        include=("*.html",),
        exclude=("migrations/*.py", "old"),
    )
    assert sieve.passes(path) is counts


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("/srv/shop/conf.d/new.yaml", True),
        ("/srv/shop/conf.d/new.yml", True),
        ("/srv/shop/conf.d/.new.yaml", False),
        ("/srv/shop/conf.d/README.md", False),
        ("/srv/shop/conf.d/deeper/new.yaml", False),
        ("/srv/shop/other.yaml", False),
        ("/etc/squids/conf.d/new.yaml", True),
    ],
)
def test_a_file_that_an_include_may_find_counts(path, counts):
    included = frozenset(("/srv/shop/conf.d", "/etc/squids/conf.d"))
    assert FileFilter(("/srv/shop",), included=included).passes(path) is counts


def test_a_directory_with_a_dot_above_the_root_hides_nothing():
    assert FileFilter(("/home/ada/.work/shop",)).passes("/home/ada/.work/shop/tasks.py")


def test_a_file_that_one_app_imports_concerns_that_app():
    known = [AppFiles(SHOP, "/srv/shop", frozenset(["/srv/shop/a.py"])), AppFiles(ADMIN, "/srv/shop")]
    assert affected(["/srv/shop/a.py"], known) == [SHOP]


def test_a_file_that_nobody_is_known_to_import_concerns_each_app_of_its_directory():
    known = [AppFiles(SHOP, "/srv/shop"), AppFiles(ADMIN, "/srv/shop"), AppFiles(OTHER, "/srv/other")]
    assert affected(["/srv/shop/new.py"], known) == [SHOP, ADMIN]


def test_a_file_in_no_apps_directory_concerns_all_unless_it_is_known():
    imported = frozenset(["/lib/a.py"])
    known = [AppFiles(SHOP, "/srv/shop", imported), AppFiles(OTHER, "/srv/other")]
    assert affected(["/lib/a.py"], known) == [SHOP]
    assert affected(["/lib/b.html"], known) == [SHOP, OTHER]


def test_whose_import_failed_is_concerned_by_every_change():
    known = [
        AppFiles(SHOP, "/srv/shop", failed=True),
        AppFiles(OTHER, "/srv/other", frozenset(["/srv/other/a.py"])),
    ]
    assert affected(["/srv/other/a.py"], known) == [SHOP, OTHER]


def test_a_directory_that_came_back_concerns_its_apps():
    assert affected(["/srv/shop"], [AppFiles(SHOP, "/srv/shop"), AppFiles(OTHER, "/srv/other")]) == [SHOP]


def test_a_heap_is_taken_when_nothing_was_added_for_a_while():
    heap = Debounce()
    assert heap.due(0.1) is None
    heap.add(["a"], 10.0)
    heap.add(["b", "a"], 10.05)
    assert heap.due(0.1) == pytest.approx(10.15)
    assert heap.take() == {"a", "b"}
    assert heap.due(0.1) is None


def test_a_heap_that_never_ends_is_taken_all_the_same():
    heap = Debounce()
    for step in range(100):
        heap.add(["a"], 10.0 + step * 0.05)
    assert heap.due(0.1) == pytest.approx(12.0)


TRACEBACK = """\
Traceback (most recent call last):
  File "/srv/shop/tasks.py", line 3, in <module>
    import helpers
  File "/srv/shop/helpers.py", line 7, in <module>
    undefined
NameError: name 'undefined' is not defined
"""

SYNTAX = """\
  File "/srv/shop/shop/tasks.py", line 12
    x = (
        ^
SyntaxError: '(' was never closed"""


SYNTAX_ELSEWHERE = """\
Traceback (most recent call last):
  File "/srv/shop/tasks.py", line 1, in <module>
    import shared
  File "/srv/common/shared.py", line 5
    def f(:
          ^
SyntaxError: invalid syntax"""

EVALUATED = """\
Traceback (most recent call last):
  File "/srv/shop/tasks.py", line 4, in <module>
    eval("1 +")
  File "<string>", line 1
    1 +
      ^
SyntaxError: invalid syntax"""

MESSAGE_OF_LINES = """\
Traceback (most recent call last):
  File "/srv/shop/tasks.py", line 4, in <module>
    Settings(field="x")
  File "/venv/lib/python3.11/site-packages/pydantic/main.py", line 214, in __init__
    validated_self = self.__pydantic_validator__.validate_python(data)
                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
pydantic_core._pydantic_core.ValidationError: 1 validation error for Settings
field
  Input should be a valid integer"""

CHAINED = """\
Traceback (most recent call last):
  File "/srv/shop/tasks.py", line 2, in <module>
    os.environ["KEY"]
KeyError: 'KEY'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/srv/shop/tasks.py", line 9, in <module>
    raise RuntimeError("set KEY")
RuntimeError: set KEY
Note: see README"""

GROUP = """\
  + Exception Group Traceback (most recent call last):
  |   File "/srv/shop/tasks.py", line 6, in <module>
  |     raise ExceptionGroup("several", [ValueError(1)])
  | ExceptionGroup: several (1 sub-exception)
  +-+---------------- 1 ----------------
    | ValueError: 1
    +------------------------------------"""


@pytest.mark.parametrize(
    ("text", "short"),
    [
        (SYNTAX_ELSEWHERE, "SyntaxError in /srv/common/shared.py:5"),
        (EVALUATED, "SyntaxError in tasks.py:4"),
        (MESSAGE_OF_LINES, "pydantic_core._pydantic_core.ValidationError in tasks.py:4"),
        (CHAINED, "RuntimeError in tasks.py:9"),
        (GROUP, "ExceptionGroup in tasks.py:6"),
        (TRACEBACK, "NameError in helpers.py:7"),
        (SYNTAX, "SyntaxError in shop/tasks.py:12"),
        ("the import of shop:app took over 60 s", "the import of shop:app took over 60 s"),
        ("", "it cannot be imported"),
    ],
)
def test_a_failure_in_short(text, short):
    assert failure_in_short(text, "/srv/shop") == short
