"""A module that does not import."""

raise RuntimeError("no licence")
