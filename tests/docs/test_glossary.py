"""Words that the glossary has retired come back nowhere: in no page, name, message or docstring."""

import pytest

from tests.docs import retired_words as words
from tests.docs.retired_words import Retired


def test_no_retired_word_is_used_more_often_than_is_allowed() -> None:
    allowed, found = words.allowance(), words.found()
    instead = {entry.word: entry.instead for entry in words.retired()}
    problems = []
    for (room, word), count in sorted(words.counts().items()):
        if count > allowed.get((room, word), 0):
            places = [str(one) for one in found if (one.room, one.word) == (room, word)]
            problems.append(
                f"{word!r} is a retired word (docs/glossary.md): write {instead[word]}. It stands {count} times in "
                f"{room}, {allowed.get((room, word), 0)} are allowed: {', '.join(places)}"
            )
    assert not problems, "\n".join(problems)


def test_the_allowance_shrinks_with_the_words() -> None:
    counted = words.counts()
    lower = [
        f"{room}: {word!r}: {allowed} allowed, {counted.get((room, word), 0)} found"
        for (room, word), allowed in words.allowance().items()
        if counted.get((room, word), 0) < allowed
    ]
    assert not lower, "Lower it: .venv/bin/python -m tests.docs.retired_words\n" + "\n".join(lower)


def test_each_retired_word_has_another_in_its_place() -> None:
    retired = words.retired()
    assert len(retired) > 10
    assert all(entry.word == entry.word.lower() and entry.instead for entry in retired)
    assert len({entry.word for entry in retired}) == len(retired)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("It is no frame.", 1),
        ("It is\n  no frame, and Is No word", 2),
        ("There is no frame, it is no longer one; this is none, it is not.", 0),
        ("Basis no. 1", 0),
    ],
)
def test_a_phrase_is_found_as_whole_words_but_for_what_is_good_english(text: str, count: int) -> None:
    entry = Retired("is no", "is not a", ("there is no", "is no longer"), docs_only=False)
    assert len(entry.pattern().findall(text)) == count


def test_code_and_generated_tables_are_no_prose() -> None:
    page = "a `nobody` b\n```python\nnobody\n```\n<!-- keys: made by x -->\nnobody\n<!-- end of keys -->\nc"
    assert "nobody" not in words.prose(page)
    assert words.prose(page).splitlines()[-1] == "c"
    assert len(words.prose(page).splitlines()) == len(page.splitlines())


def test_names_are_words_and_strings_are_found() -> None:
    code = (
        'class NobodyThere:\n    """Nobody."""\n    def goes_on(self, HTTPError): self.is_no = f"anew {1}"\n'
    )
    assert [text for _, text in words.names(code)] == [
        "nobody there",
        "goes on",
        "self",
        "http error",
        "is no",
    ]
    assert [text for _, text in words.strings(code)] == ["Nobody.", "anew "]
