from __future__ import annotations

import pytest

from squids.hints import as_word, count, did_you_mean, nearest, plural


def test_a_word_that_is_nearly_right_is_named():
    known = ["emails", "reports"]
    assert nearest("emals", known) == "emails"
    assert did_you_mean("emals", known) == "did you mean emails?"
    assert did_you_mean("emals", known, quoted=True) == 'did you mean "emails"?'


def test_a_word_that_is_like_none_gets_another_hint():
    assert nearest("x", ["emails"]) is None
    assert did_you_mean("x", ["emails"]) == ""
    assert did_you_mean("x", ["emails"], "known queues: emails") == "known queues: emails"


def test_how_like_is_the_callers_to_say():
    assert nearest("em", ["emails"], cutoff=0.6) is None
    assert nearest("em", ["emails"], cutoff=0.5) == "emails"


@pytest.mark.parametrize(
    ("name", "text"),
    [("emails", "emails"), ("", '""'), (" ", '" "'), ("a b", '"a b"'), ("a ", '"a "'), ("a\tb", '"a\tb"')],
)
def test_a_name_that_would_not_read_as_one_word_is_in_quotes(name, text):
    """`start ''` was answered with "unknown queue ; known queues: ..."."""
    assert as_word(name) == text


@pytest.mark.parametrize(("number", "text"), [(0, "0 tasks"), (1, "1 task"), (2, "2 tasks")])
def test_nouns_agree_with_their_numbers(number, text):
    assert count(number, "task") == text
    assert text.endswith(f" {plural(number, 'task')}")
