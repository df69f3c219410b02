"""What the documentation lists is what the code has: options, exit codes, log actions, files, words."""

import argparse
import re
import runpy
from pathlib import Path

import pytest

from squids.cli.consume import build_parser
from squids.cli.parser import build_parser as supervisor_parser
from squids.exit_codes import ExitCode
from squids.options import OPTIONS
from squids.supervisor.events import EventKind
from tests.docs.pages import PAGES, ROOT

COMMAND_PAGE = ROOT / "docs" / "command.md"
_LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)")
_ACTION_IN_CODE = re.compile(r'"action": "(?!store_)(\w+)"|_say\(\s*[\w.]+,\s*"(\w+)"')


def test_the_table_of_options_is_made_from_the_options() -> None:
    """Mend it with `make tables`."""
    make = runpy.run_path(str(ROOT / "docs" / "option_table.py"))["page_with_table"]
    text = COMMAND_PAGE.read_text()
    assert make(text) == text


@pytest.mark.parametrize("page", ["configuration.md", "steering.md", "program-states.md"])
def test_the_tables_of_the_supervisor_are_made_from_its_code(page: str) -> None:
    """Mend it with `make tables`."""
    make = runpy.run_path(str(ROOT / "docs" / "supervisor_tables.py"))["page_with_tables"]
    text = (ROOT / "docs" / page).read_text()
    assert make(page, text) == text


def test_every_verb_of_the_supervisor_is_explained() -> None:
    (verbs,) = [a for a in supervisor_parser()._actions if isinstance(a, argparse._SubParsersAction)]
    text = (ROOT / "docs" / "steering.md").read_text()
    text = re.sub(r"<!-- verbs: .*?<!-- end of verbs -->", "", text, flags=re.DOTALL)  # It has them all.
    assert [
        verb
        for verb in verbs.choices
        if verb != "run"
        and f"`{verb}`" not in text
        and f"squids-supervisor {verb}" not in text
        and f"`{verb} " not in text
    ] == []


def test_every_option_of_the_parser_is_in_the_table() -> None:
    text = COMMAND_PAGE.read_text()
    flags = [flag for action in build_parser()._actions for flag in action.option_strings]
    assert len(flags) >= len(OPTIONS)
    assert [flag for flag in flags if f"`{flag}`" not in text] == []


def test_every_exit_code_of_the_command_is_explained() -> None:
    rows = set(re.findall(r"^\| (\d+) \|", COMMAND_PAGE.read_text(), re.MULTILINE))
    supervisors_own = {ExitCode.UNAVAILABLE, ExitCode.LOCKED}
    assert rows == {str(int(code)) for code in ExitCode if code not in supervisors_own}


def test_the_page_names_all_that_shows_the_jobs() -> None:
    (row,) = [line for line in COMMAND_PAGE.read_text().splitlines() if line.startswith("| `job_started`")]
    assert [words for words in ("log_jobs: true", "--dev", "send --wait") if f"{words}`" not in row] == []


def _actions_in_code() -> set[str]:
    found = set()
    for path in [*(ROOT / "squids" / "pool").glob("*.py"), *(ROOT / "squids" / "cli").glob("*.py")]:
        found |= {one or other for one, other in _ACTION_IN_CODE.findall(path.read_text())}
    from squids.job import JobAction
    from squids.pool.actions import Notice

    return found | {notice.value for notice in Notice} | {action.value for action in JobAction}


def test_every_log_action_of_the_command_is_in_the_table_and_no_other() -> None:
    section = COMMAND_PAGE.read_text().partition("| action |")[2].partition("##")[0]
    documented = {
        name
        for row in section.splitlines()
        if row.startswith("| `")
        for name in re.findall(r"`(\w+)`", row.split("|")[1])
    }
    assert documented == _actions_in_code()


def test_every_event_of_the_supervisor_is_in_the_table_and_no_other() -> None:
    section = (ROOT / "docs" / "steering.md").read_text().partition("| event |")[2]
    rows = [row.split("|")[1] for row in section.splitlines() if row.startswith("| `")]
    documented = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(documented) == sorted(kind.value for kind in EventKind)


def test_every_file_that_the_page_on_architecture_names_exists() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    named = set(re.findall(r"`(?:\S*python )?([\w/]+\.py)`", text))
    assert len(named) > 40
    missing = {name for name in named if not (ROOT / name).exists() and not (ROOT / "squids" / name).exists()}
    assert missing == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(page: Path) -> None:
    broken = [link for link in _LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert broken == []


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = (folder / "README.md").read_text()
    assert [path.name for path in folder.glob("0*.md") if path.stem not in listed] == []


def test_every_target_of_the_makefile_that_the_pages_name_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {name for page in PAGES for name in re.findall(r"make ([a-z-]+)`", page.read_text())}
    assert named <= targets
