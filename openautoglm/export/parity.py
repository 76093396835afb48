"""How far two ways of running one model agree."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Runner = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True)
class Parity:
    """Agreement of two sets of logits.

    Attributes:
        agreement: share of pictures with the same top class.
        max_abs_diff: largest difference of a logit.
        num_samples: pictures compared.
    """

    agreement: float
    max_abs_diff: float
    num_samples: int


def compare_logits(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> Parity:
    """Compare logits of the same pictures, ``(n, k)`` each."""
    if ours.shape != theirs.shape or ours.ndim != 2 or not len(ours):
        raise ValueError(f"logits of one shape (n, k) with n > 0 are needed, got {ours.shape} and {theirs.shape}")
    return Parity(
        agreement=float((ours.argmax(1) == theirs.argmax(1)).mean()),
        max_abs_diff=float(np.abs(ours - theirs).max()),
        num_samples=len(ours),
    )


def compare(ours: Runner, theirs: Runner, images: Iterable[NDArray[np.float32]]) -> Parity:
    """Run both on every picture ``(1, 3, h, w)`` and compare."""
    pairs = [(ours(image).reshape(-1), theirs(image).reshape(-1)) for image in images]
    if not pairs:
        raise ValueError("at least one picture is needed to compare two runners")
    first, second = zip(*pairs, strict=True)
    return compare_logits(np.stack(first), np.stack(second))
