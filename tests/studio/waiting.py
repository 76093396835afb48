"""Waits for what another process does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(ask: Callable[[], T], seconds: float = 60) -> T:
    """Ask until the answer is true."""
    end = time.monotonic() + seconds
    while not (answer := ask()):
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.05)
    return answer
