"""Control characters are shown, not sent."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from squids.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("", ""),
        ("müde, 東京, 🦑", "müde, 東京, 🦑"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("\x9b31m", "\\x9b31m"),
        ("bell\x07", "bell\\x07"),
        ("over\rwritten", "over\\rwritten"),
        ("two\nlines\tand a tab", "two\\nlines\\tand a tab"),
        ("\u2028\u2029\x85", "\\u2028\\u2029\\x85"),
        ("\u202egnp.exe\u2066", "\\u202egnp.exe\\u2066"),
        ("\ud800", "\\ud800"),
        ("\x7f\x00", "\\x7f\\x00"),
        ("no-break\u00a0space", "no-break\u00a0space"),
    ],
)
def test_control_characters_are_shown(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_what_the_caller_keeps_is_kept() -> None:
    assert printable("a\nb\tc\rd\x1b", keep="\n\t") == "a\nb\tc\\rd\\x1b"


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_nothing_is_left_that_a_terminal_obeys_and_all_of_it_can_be_encoded(text: str) -> None:
    found = printable(text)
    assert not {unicodedata.category(character) for character in found} & {"Cc", "Cs", "Zl", "Zp"}
    found.encode()
    assert printable(found) == found
    assert len(found.splitlines()) <= 1
