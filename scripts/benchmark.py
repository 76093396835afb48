"""Time an artifact's programs, or a model block by block: ``python scripts/benchmark.py --help``."""

import sys

from openautoglm.cli.benchmark import main

if __name__ == "__main__":
    sys.exit(main())
