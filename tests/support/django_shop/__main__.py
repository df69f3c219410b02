"""A program, which no message may run."""

raise AssertionError("it ran")
