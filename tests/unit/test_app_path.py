"""The text that says where an app is."""

from __future__ import annotations

import pytest

from squids.app_path import AppPath, Attribute, FactoryCall


@pytest.mark.parametrize(
    ("text", "module", "steps"),
    [
        ("shop:app", "shop", (Attribute("app", "shop:app"),)),
        ("shop.tasks.app", "shop.tasks", (Attribute("app", "shop.tasks.app"),)),
        ("shop:a.b", "shop", (Attribute("a", "shop:a"), Attribute("b", "shop:a.b"))),
        ("shop:make()", "shop", (Attribute("make", "shop:make"), FactoryCall((), {}, "shop:make()"))),
        (
            "shop.make('a.b:c', n=-1)",
            "shop",
            (Attribute("make", "shop.make"), FactoryCall(("a.b:c",), {"n": -1}, "shop.make('a.b:c', n=-1)")),
        ),
        (
            "shop:make([1], {'a': None})",
            "shop",
            (
                Attribute("make", "shop:make"),
                FactoryCall(([1], {"a": None}), {}, "shop:make([1], {'a': None})"),
            ),
        ),
        (
            "shop:make().app",
            "shop",
            (
                Attribute("make", "shop:make"),
                FactoryCall((), {}, "shop:make()"),
                Attribute("app", "shop:make().app"),
            ),
        ),
    ],
)
def test_a_path_is_a_module_and_steps(text, module, steps):
    assert AppPath.parse(text) == AppPath(module, steps)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "app",
        "make()",
        ":app",
        "shop:",
        "shop: app",
        "shop:app ",
        "shop:app;x",
        "shop:app[0]",
        "shop:'app'",
        "shop:make(",
        "shop:make()()+1",
        "shop:lambda: 1",
        "sh op:app",
        "shop:\0",
        "shop:a" + ".a" * 100_000,
        "shop:" + "(" * 100_000,
    ],
)
def test_anything_else_is_refused_with_how_to_write_it(text):
    with pytest.raises(ValueError, match=r"write module\.app or module:app, or module:factory\(\)"):
        AppPath.parse(text)


@pytest.mark.parametrize("arguments", ["name", "f()", "*[1]", "**{}", "1 + x", "[n for n in []]", "{[]: 1}"])
def test_an_argument_that_is_no_literal_is_refused(arguments):
    """It is not run."""
    with pytest.raises(ValueError, match="arguments of a factory are literals"):
        AppPath.parse(f"shop:make({arguments})")
