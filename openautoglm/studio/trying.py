"""One frame of the camera through the net that was just made."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from openautoglm.runtime.engines import RuntimeName
from openautoglm.runtime.recognizer import Recognizer
from openautoglm.types import Hand


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the net sees in a frame.

    Attributes:
        hands: best first.
        latency_ms: of the recognition alone, from pixels to hands.
        width: of the frame, in pixels.
        height: likewise.
    """

    hands: tuple[Hand, ...]
    latency_ms: float
    width: int
    height: int


class Trier:
    """Holds the one net that is being tried; frames are answered one after the other."""

    def __init__(self) -> None:
        self._asking = threading.Lock()
        self._opened: tuple[Path, RuntimeName] | None = None
        self._recognizer: Recognizer | None = None

    def ask(self, run: Path, runtime: RuntimeName, frame: NDArray[np.uint8]) -> Answer:
        """Name the hands of a frame.

        Args:
            run: whose artifact.
            runtime: who runs it.
            frame: RGB, ``(h, w, 3)``.
        """
        with self._asking:
            if self._recognizer is None or self._opened != (run, runtime):
                self._recognizer = Recognizer.from_pretrained(run, runtime=runtime, num_threads=1)
                self._opened = run, runtime
            start = time.perf_counter()
            hands = self._recognizer.shown(self._recognizer.recognize(frame))
            latency_ms = 1000 * (time.perf_counter() - start)
        height, width = frame.shape[:2]
        return Answer(hands=tuple(hands), latency_ms=latency_ms, width=width, height=height)
