"""Files of variables: python-dotenv's rules, and every mistake at its line."""

from __future__ import annotations

import pytest

from squids.supervisor.config.env_file import MAX_BYTES, Mistake, parse_env_file, read_env_file
from squids.supervisor.config.permissions import no_distrust


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1\n", {"A": "1"}),
        ("# comment\n\n  export A = one # two\n", {"A": "one"}),
        ("A='$B'\nB=\"a\\nb\"\n", {"A": "$B", "B": "a\nb"}),
        ("A=1\nB=${A}-${HOME}-${NONE:-none}\n", {"A": "1", "B": "1-/home/ada-none"}),
        ("HOME=/tmp\nA=${HOME}\n", {"HOME": "/tmp", "A": "/tmp"}),
        ("A=\nB\n", {"A": ""}),
        ("A=1\nA=2\n", {"A": "2"}),
        ("\ufeffA=é\r\n", {"A": "é"}),
    ],
)
def test_it_is_read_as_python_dotenv_reads_it(tmp_path, text, expected):
    (tmp_path / ".env").write_text(text)
    found = read_env_file(str(tmp_path / ".env"), {"HOME": "/home/ada"}, no_distrust)
    assert (found.variables, found.mistakes) == (expected, [])


def test_mistakes_have_their_lines_and_the_rest_counts():
    text = "A=1\n\nnot a variable\nB='open\nC=3\nD=a\x00b\nE\x1b=1\n"
    found = parse_env_file(text, {})
    assert found.variables == {"A": "1", "C": "3"}
    assert found.mistakes == [
        Mistake(3, "is not a variable such as NAME=value"),
        Mistake(4, "is not a variable such as NAME=value"),
        Mistake(6, "the value of D contains a NUL character"),
        Mistake(7, "the name of a variable contains a control character"),
    ]


@pytest.mark.parametrize("what", ["nothing", "a folder", "too much", "no text"])
def test_what_cannot_be_read_is_said(tmp_path, what):
    path = tmp_path / ".env"
    match what:
        case "a folder":
            path.mkdir()
        case "too much":
            path.write_bytes(b"#" * (MAX_BYTES + 1))
        case "no text":
            path.write_bytes(b"A=\xff")
    (mistake,) = read_env_file(str(path), {}, no_distrust).mistakes
    assert mistake.line == 0
    says = {
        "nothing": f"cannot read {path}: No such file or directory",
        "a folder": f"{path}: not a regular file (a directory)",
        "too much": f"{path}: over {MAX_BYTES} bytes",
        "no text": f"{path} is not UTF-8: byte 2",
    }
    assert mistake.text == says[what]


def test_a_file_that_others_decide_about_is_not_read(tmp_path):
    (tmp_path / ".env").write_text("A=1\n")
    found = read_env_file(str(tmp_path / ".env"), {}, lambda steps: "others can write to it")
    assert found.variables == {}
    assert found.mistakes == [Mistake(0, "others can write to it")]
