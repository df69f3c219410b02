"""YAML to plain data: its traps are refused, variables are filled in, and all has a place."""

from __future__ import annotations

from typing import Any

import pytest

from squids.supervisor.config import yaml_values
from squids.supervisor.config.yaml_values import YamlReader


def read(source: str, **environ: str) -> Any:
    """The data of a source without mistakes."""
    reader = YamlReader("f", environ)
    found = reader.read(source)
    assert reader.problems == [], "\n".join(map(str, reader.problems))
    return found


def problems(source: str, **environ: str) -> list[str]:
    reader = YamlReader("f", environ)
    reader.read(source)
    return [str(problem) for problem in reader.problems]


def problem(source: str, **environ: str) -> str:
    (found,) = problems(source, **environ)
    return found


def test_plain_values_are_what_their_writer_meant() -> None:
    source = "{a: 1, b: -2, c: 1.5, d: 1.5e+3, e: true, f: false, g: null, h: ~, i: , j: a word, k: [1, x]}"
    values = [1, -2, 1.5, 1500.0, True, False, None, None, None, "a word", [1, "x"]]
    assert list(read(source).values()) == values
    assert read("") is None


@pytest.mark.parametrize("quoted", ["'010'", '"yes"', "'null'", '"1"', "|-\n  1:30"])
def test_what_is_quoted_is_a_text(quoted: str) -> None:
    assert isinstance(read(f"a: {quoted}")["a"], str)


@pytest.mark.parametrize(
    ("trap", "says"),
    [
        ("yes", 'YAML reads yes as true: write true, or "yes"'),
        ("Off", 'YAML reads Off as false: write false, or "Off"'),
        ("TRUE", 'YAML reads TRUE as true: write true, or "TRUE"'),
        ("010", 'YAML reads 010 as another number: write it plainly, or "010"'),
        ("1_000", 'YAML reads 1_000 as another number: write it plainly, or "1_000"'),
        ("1:30", 'YAML reads 1:30 as another number: write it plainly, or "1:30"'),
        ("0x1F", 'YAML reads 0x1F as another number: write it plainly, or "0x1F"'),
        (".inf", 'YAML reads .inf as a number: write it in digits, or ".inf"'),
        ("1_0.5", 'YAML reads 1_0.5 as a number: write it in digits, or "1_0.5"'),
    ],
)
def test_what_yaml_reads_as_something_else_is_refused(trap: str, says: str) -> None:
    assert problem(f"a:\n  b: {trap}") == f"f:2:6: a.b: {says}"


@pytest.mark.parametrize("key", ["umask", "socket_mode"])
def test_permission_bits_are_taken_as_they_are_written(key: str) -> None:
    assert read(f"{key}: 0027") == {key: "0027"}
    assert read(f"{key}: null") == {key: None}


def test_a_number_of_too_many_digits_is_no_endless_sum() -> None:
    """A file may be anybody's: a whole number of a million digits takes its time."""
    assert read(f"a: {'9' * 5000}") == {"a": float("inf")}


def test_of_a_key_that_stands_twice_the_first_counts_and_the_second_is_named() -> None:
    source = "a: 1\nb: 2\na: 3"
    reader = YamlReader("f", {})
    assert reader.read(source) == {"a": 1, "b": 2}
    assert [str(one) for one in reader.problems] == ["f:3:1: a: is defined twice; first at f:1:1"]


def test_keys_are_plain_words() -> None:
    """A number is one, as it is written."""
    assert read("{2025: x, yes: y}") == {"2025": "x", "yes": "y"}
    assert problem("? [a, b]\n: c") == "f:1:3: a key is a plain word"


# Anchors.


def test_what_is_merged_in_gives_way_to_what_stands_there() -> None:
    """And among several the first counts. Its places are those of the anchor, and the mapping's own is its."""
    source = "x: &x {a: 1, b: 2}\ny: &y {b: 3, c: 4}\nz:\n  <<: [*x, *y]\n  a: 9\n"
    reader = YamlReader("f", {})
    assert reader.read(source)["z"] == {"a": 9, "b": 2, "c": 4}
    assert reader.problems == []
    assert str(reader.locations["z",]) == "f:4:3"
    assert str(reader.locations["z", "c"]) == "f:2:17"
    assert problem("a:\n  <<: 3") == "f:2:7: a: << takes an anchor of a mapping"


@pytest.mark.parametrize("source", ["a: &a [*a]", "a: &a {b: *a}"])
def test_an_anchor_within_itself_is_no_endless_file(source: str) -> None:
    assert problem(source).endswith("refers to itself")


def test_an_anchor_of_a_mapping_merged_into_itself_is_no_endless_file() -> None:
    assert problem("a: &a\n  <<: *a").endswith("<< takes an anchor of a mapping")


def test_aliases_that_multiply_are_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """The billion laughs. It is said once."""
    monkeypatch.setattr(yaml_values, "MAX_NODES", 50)
    laughs = "a: &a [1, 1, 1, 1]\nb: &b [*a, *a, *a, *a]\nc: [*b, *b, *b, *b, *b, *b]\n"
    reader = YamlReader("f", {})
    reader.read(laughs)
    (only,) = reader.problems
    assert only.text == "there are more than 50 values"


# What is not YAML.


def test_the_parsers_punctuation_is_kept():
    """It says what to type; only what was read from the file is left out."""
    assert problem("app: shop:app\nqueues: {emails: [1").endswith("did not find expected ',' or ']'")
    assert "hunter2" not in problem("a: 'x' *hunter2")


def test_what_is_no_yaml_is_one_problem_at_its_place() -> None:
    reader = YamlReader("f", {})
    assert reader.read("a: 1\nb: [1, 2\nc: 3") is None
    assert reader.broken
    (only,) = reader.problems
    assert (only.location.line, only.text[:6]) == (3, "YAML: ")
    assert not YamlReader("f", {}).broken


@pytest.mark.parametrize("in_c", [True, False])
def test_words_of_a_file_that_is_no_yaml_are_not_quoted(in_c: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be a key, named by mistake, and the message goes into a log. The loader in C does not quote any."""
    if not in_c:
        monkeypatch.delattr(yaml_values.yaml, "CSafeLoader", raising=False)
    assert problem("a: *hunter2secret").startswith("f:1:4: YAML: found undefined alias")
    assert "hunter2" not in problem("a: *hunter2secret")


@pytest.mark.parametrize("source", ["[" * 100_000, "a: \x07", "%YAML 9.9\n---\na: 1"])
def test_no_source_raises(source: str) -> None:
    assert problem(source).startswith("f:")


# Variables.


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${N}", 3),
        ("'${N}'", 3),
        ("-${N}", -3),
        ("${N}.5", 3.5),
        ("${N}s", "3s"),
        ("${YES}", True),
        ("${WORD}", "emails"),
        ("prefix-${WORD}", "prefix-emails"),
        ("${NOT_SET:-4}", 4),
        ("${EMPTY:-4}", 4),
        ("${NOT_SET:-}", ""),
        ("a$$b", "a$b"),
        ("$${N}", "${N}"),
        ("${OCTAL}", "010"),
    ],
)
def test_variables_are_filled_in_and_are_numbers_where_they_look_like_one(text: str, value: object) -> None:
    found = read(f"a: {text}", N="3", YES="true", WORD="emails", EMPTY="", OCTAL="010")["a"]
    assert (found, type(found)) == (value, type(value))


def test_the_value_of_a_variable_of_the_app_is_a_text_whatever_it_looks_like() -> None:
    source = "environment: {A: 1, B: true, C: '${N}', D: null, E: word}"
    found = read(source, N="3")["environment"]
    assert found == {"A": "1", "B": "true", "C": "3", "D": None, "E": "word"}


def test_what_a_variable_brings_is_no_yaml() -> None:
    """Whoever sets it decides a value, and nothing of the file's structure."""
    assert read("a: ${X}", X="{b: 1}\nc: 2") == {"a": "{b: 1}\nc: 2"}
    assert read("a: ${X}", X="${HOME}") == {"a": "${HOME}"}


def test_a_variable_that_is_not_set_or_not_one_is_a_problem() -> None:
    says = "the variable X is not set; ${X:-default} gives it a default"
    assert problem("a: 1\nb: ${X}") == f"f:2:4: b: {says}"
    assert problem("b: ${X-y}") == "f:1:4: b: ${X-y} is not a variable; write $$ for a $"
    assert problem("b: '${X'") == "f:1:4: b: ${X is not a variable; write $$ for a $"


def test_what_is_no_variable_within_a_value_that_may_be_secret_is_not_shown() -> None:
    found = problem("environment: {PASSWORD: 'hunter${2x}'}")
    assert found == "f:1:25: environment.PASSWORD: ${...} is not a variable; write $$ for a $"


def test_a_nul_character_is_a_problem() -> None:
    """No path and no environment can hold it."""
    reader = YamlReader("f", {})
    assert reader.read('a: "x\\0y"') == {"a": "xy"}
    assert [str(one) for one in reader.problems] == ["f:1:4: a: contains a NUL character"]


def test_each_scalar_is_kept_as_it_was_written_with_its_place_and_its_keys() -> None:
    reader = YamlReader("f", {"N": "3"})
    reader.read("a: 1.50\nb:\n  - ${N}\n")
    assert reader.texts == {("a",): "1.50", ("b", 0): "3"}
    assert str(reader.locations["b", 0]) == "f:3:5"
    assert str(reader.keys["b",]) == "f:2:1"


def test_keys_of_ones_own_are_left_out_where_keys_are_ours():
    """They are for anchors. A queue, a variable or a limit may be called so, and an unset variable there is none."""
    source = """
x-common: &common {workers: 2, x-why: [1, "${UNSET}"]}
x-common: again
defaults: {<<: *common, x-note: yes}
queues:
  x-mail: {<<: *common, x-note: 1, environment: {x-a: 1}, limits: {x-b: 2}}
  limits: {x-note: 1, workers: 1}
"""
    assert read(source) == {
        "defaults": {"workers": 2},
        "queues": {
            "x-mail": {"workers": 2, "environment": {"x-a": "1"}, "limits": {"x-b": 2}},
            "limits": {"workers": 1},
        },
    }
