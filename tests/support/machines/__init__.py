"""A Debian of its own that boots with systemd in a container: `tree` builds it, `machine` boots and drives it."""
