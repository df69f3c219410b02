"""A module with a task, as users write it."""

import squids

app = squids.App("sample")


@app.task("sample")
def add(a: int, b: int = 0) -> int:
    """Add two numbers."""
    return a + b
