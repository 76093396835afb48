"""Where everything is kept that can be made or fetched again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """Folder of all caches: ``$OPENAUTOGLM_HOME``, else ``~/.cache/openautoglm``; not created here."""
    home = os.environ.get("OPENAUTOGLM_HOME")
    return Path(home).expanduser() if home else Path.home() / ".cache" / "openautoglm"
