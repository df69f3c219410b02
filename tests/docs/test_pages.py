"""The reader of pages itself."""

from tests.docs.pages import blocks, commands, files, script

PAGE = """\
# Title

```python
# shop/tasks.py
x = 1
```

text

```python
from shop.tasks import x
```

```console
$ squids --queue emails --app shop.tasks:app
$ other
```
"""


def test_blocks_know_their_language_and_line() -> None:
    assert [(block.language, block.line) for block in blocks(PAGE)] == [
        ("python", 4),
        ("python", 11),
        ("console", 15),
    ]


def test_a_block_that_begins_with_a_file_name_is_that_file() -> None:
    assert files(PAGE) == {"shop/tasks.py": "# shop/tasks.py\nx = 1\n"}


def test_a_script_keeps_the_lines_of_the_page() -> None:
    assert script(PAGE).splitlines()[10] == "from shop.tasks import x"
    assert script(PAGE).splitlines()[4] == ""


def test_commands_are_found_by_their_program() -> None:
    assert commands(PAGE, "squids") == ["squids --queue emails --app shop.tasks:app"]
