"""Holding back what native libraries write to standard error; shown only if the call fails."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Collect standard error, that of native code too, and let it out if the block raises.

    ``OPENAUTOGLM_VERBOSE=1`` lets everything through.
    """
    if os.environ.get("OPENAUTOGLM_VERBOSE") == "1":
        yield
        return
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        finally:
            sys.stderr.flush()
            os.dup2(saved, 2)
            os.close(saved)
            # ValueError is told in one sentence; anything else is a fault whose story is worth reading.
            if failed and not isinstance(sys.exc_info()[1], ValueError | ImportError):
                held.seek(0)
                sys.stderr.write(held.read().decode(errors="replace")[-4000:])
