"""Write the table of options in command.md from `squids.options.OPTIONS`, the one list of them.

Run it after a change of the options: `.venv/bin/python docs/option_table.py`. A test compares the two.
"""

import re
from pathlib import Path

from squids.options import OPTIONS, Option

PAGE = Path(__file__).parent / "command.md"
BEGIN = "<!-- options: made by docs/option_table.py -->\n"
END = "<!-- end of options -->\n"

OTHERS = (
    ("`--log-level`", "INFO", "The lowest level that is logged: DEBUG, INFO, WARNING, ERROR or CRITICAL"),
    ("`--log-format`", "text", "How log lines look: text or json"),
    ("`--logging`", "", "A configuration of logging, in YAML or JSON: see [](logging.md)"),
    ("`--reload`", "", "Run changed code as soon as it is saved: see [](developing.md)"),
    ("`--local`", "", "Use a local SQS with this queue, and no other: see [](developing.md)"),
    ("`--local-port`", "a free one", "The port of the local SQS"),
    ("`--version`", "", "Show the version and exit"),
    ("`-h`, `--help`", "", "Show all options and exit"),
)


def table() -> str:
    """The table, as Markdown."""
    rows = [("option", "default", "what it is")]
    rows.append(("---", "---", "---"))
    rows += [(_flag(option), _default(option), _cell(option)) for option in OPTIONS]
    rows += OTHERS
    return "".join(f"| {' | '.join(row)} |\n".replace("|  |", "| |") for row in rows)


def page_with_table(text: str) -> str:
    """The page's text, with the table brought up to date."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _flag(option: Option) -> str:
    name = option.name.replace("_", "-")
    return f"`--no-{name}`" if option.kind is bool and option.default else f"`--{name}`"


def _default(option: Option) -> str:
    return "required" if option.required else option.default_text


def _cell(option: Option) -> str:
    text = " ".join((option.help + option.in_command).split()).replace("|", "\\|")
    return re.sub(r"(https://\S+)", r"<\1>", text)


if __name__ == "__main__":
    PAGE.write_text(page_with_table(PAGE.read_text()))
