"""What is typed by inference is really checked: user code, and the rules of a program."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("file", ["user_code.py", "program_rules.py"])
def test_what_is_wrong_is_flagged_and_what_is_right_is_not(file: str) -> None:
    """Mypy finds what is marked as wrong in the file, and nothing else."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--warn-unused-ignores", f"tests/typing/{file}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
