"""A look that ends at the first exit which is sure; numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openautoglm.runtime.engines import Engine

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Answer:
    """What a look has come to.

    Attributes:
        logits: ``(k,)``.
        part: number of the part that gave them, from 0.
    """

    logits: Floats
    part: int


class DepthExits:
    """The parts of a look, one after the other.

    Args:
        parts: all but the last return ``logits`` ``(1, k)`` and ``map``, which the next one is given.
        sure: probability of a gesture from which an exit is believed.
    """

    def __init__(self, parts: Sequence[Engine], *, sure: float) -> None:
        if len(parts) < 2:
            raise ValueError(f"a look with an early exit has two parts or more, got {len(parts)}")
        self.parts, self.sure = tuple(parts), sure

    def run(self, image: Floats) -> Answer:
        """RGB in [0, 1], ``(1, 3, h, w)``, to the first answer that is sure, or the last one."""
        given, last = image, len(self.parts) - 1
        for number, part in enumerate(self.parts):
            found = part.run_named(given)
            logits = found["logits"].reshape(-1)
            if number == last or softmax(logits).max() >= self.sure:
                break
            given = found["map"]
        return Answer(logits, number)

    def is_early(self, answer: Answer) -> bool:
        """Whether something was left to be computed."""
        return answer.part < len(self.parts) - 1


def softmax(logits: Floats) -> Floats:
    """Logits ``(k,)`` to probabilities."""
    raised = np.exp(logits - logits.max())
    probabilities: Floats = raised / raised.sum()
    return probabilities
