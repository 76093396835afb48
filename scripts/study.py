"""Answer a question by figures: ``python scripts/study.py study=synthetic``."""

import sys

from openautoglm.cli.study import main

if __name__ == "__main__":
    sys.exit(main())
