"""Train, distil, quantise, export and verify: ``python scripts/train.py --help``."""

import sys

from openautoglm.cli.train import main

if __name__ == "__main__":
    sys.exit(main())
