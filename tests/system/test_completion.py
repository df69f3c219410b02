"""TAB in a shell: what the command answers it, and that bash itself takes the script."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = Path(sys.executable).with_name("squids-supervisor")

# As the functions of argcomplete call the command; `ifs` separates what it answers on descriptor 8.
ASK = """
COMP_LINE="$1" COMP_POINT=${#1} COMP_TYPE=9 _ARGCOMPLETE=1 _ARGCOMPLETE_IFS=$'\\v' _ARGCOMPLETE_SHELL=bash \
"$2" 8>&1 9>/dev/null >/dev/null 2>&1
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "squids.yaml").write_text("app: shop:app\nqueues: {emails: {}, reports: {}}\n")
    return tmp_path


def run(arguments: list[str], directory: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments,
        cwd=directory,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def complete(line: str, directory: Path) -> set[str]:
    """What TAB offers behind this line."""
    done = run(["bash", "-c", ASK, "ask", line, str(COMMAND)], directory)
    assert done.returncode == 0, done.stderr
    return {word.strip() for word in done.stdout.split("\v") if word}


def test_verbs_options_and_the_files_queues_are_completed(directory: Path) -> None:
    assert complete("squids-supervisor re", directory) == {"restart", "resume", "reload", "reset"}
    assert complete("squids-supervisor restart ", directory) == {"emails", "reports"}
    assert complete("squids-supervisor restart --ro", directory) == {"--rolling"}
    assert complete("squids-supervisor wait --for ", directory) == {"running", "stopped"}
    other = directory / "other.yaml"
    other.write_text("app: shop:app\nqueues: {invoices: {}}\n")
    assert complete("squids-supervisor -c other.yaml stop ", directory) == {"invoices"}


@pytest.mark.parametrize("text", ["queues: [", "queues: 5", "app: shop:app", 'queues: {"a\\nb": {}, 7: {}}'])
def test_a_file_that_is_wrong_completes_nothing_and_says_nothing(text: str, directory: Path) -> None:
    (directory / "squids.yaml").write_text(text)
    assert not {word for word in complete("squids-supervisor stop ", directory) if word != "7"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_is_taken_by_it(shell: str, directory: Path) -> None:
    script = run([str(COMMAND), "completion", shell], directory)
    assert script.returncode == 0, script.stderr
    assert "squids-supervisor" in script.stdout
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    prepare = "autoload -Uz compinit; compinit -u;" if shell == "zsh" else ""
    done = run([shell, "-c", f"{prepare}\n{script.stdout}"], directory, HOME=str(directory))
    assert (done.returncode, done.stderr) == (0, "")
