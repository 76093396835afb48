"""Write the programs of an artifact for the three runtimes: ``python scripts/export.py --help``."""

import sys

from openautoglm.cli.export import main

if __name__ == "__main__":
    sys.exit(main())
