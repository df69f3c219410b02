"""What is typed by inference is really checked: user code, and the rules of a program."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

STRICT = ["--strict", "--warn-unused-ignores"]


def test_what_is_wrong_is_flagged_and_what_is_right_is_not() -> None:
    """Mypy finds what is marked as wrong in these files, and nothing else.

    It has a cache of its own: two mypys that share one fail at times with an internal error.
    """
    files = ["tests/typing/user_code.py", "tests/typing/program_rules.py"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *STRICT, "--cache-dir", ".mypy_cache/strict", *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
