"""`python -m squids`: the same as the `squids` command."""

import sys

from squids.cli.start import squids

# The exec start method and multiprocessing import the main module again.
if __name__ == "__main__":
    sys.exit(squids())
