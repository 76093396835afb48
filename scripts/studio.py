"""Make a recogniser of your own gestures on a local page: ``python scripts/studio.py --help``."""

import sys

from openautoglm.cli.studio import main

if __name__ == "__main__":
    sys.exit(main())
