"""Measure an artifact in a runtime: ``python scripts/evaluate.py --help``."""

import sys

from openautoglm.cli.evaluate import main

if __name__ == "__main__":
    sys.exit(main())
