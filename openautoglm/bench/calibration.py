"""How far a score can be believed: temperature, rejection of what is none of the classes, and what they are worth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]
_TEMPERATURES = np.exp(np.linspace(np.log(0.2), np.log(5.0), 121))


def log_softmax(logits: Floats) -> Floats:
    """Logits ``(n, k)`` to log-probabilities."""
    shifted = np.asarray(logits, np.float64) - np.max(logits, axis=1, keepdims=True)
    found: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return found


def fit_temperature(logits: Floats, labels: Ints) -> float:
    """The number that logits are divided by so that their likelihood is highest (Guo et al., arXiv 1706.04599).

    Args:
        logits: of pictures that were not trained on, ``(n, k)``.
        labels: their classes, ``(n,)``.

    Returns:
        Between 0.2 and 5; 1 without pictures.
    """
    if not len(labels):
        return 1.0
    rows = np.arange(len(labels))
    losses = [-float(log_softmax(logits / value)[rows, labels].mean()) for value in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(losses))])


def confidence(logits: Floats, temperature: float = 1.0) -> Floats:
    """Probability of the best class, ``(n,)``."""
    best: Floats = np.exp(log_softmax(logits / temperature).max(axis=1))
    return best


def calibration_error(logits: Floats, labels: Ints, *, temperature: float = 1.0, num_bins: int = 10) -> float:
    """Expected calibration error: mean distance of confidence and accuracy over equal bins (1706.04599, eq. 3)."""
    sure = confidence(logits, temperature)
    right = logits.argmax(axis=1) == labels
    bins = np.minimum((sure * num_bins).astype(int), num_bins - 1)
    gaps = [
        (bins == number).mean() * abs(right[bins == number].mean() - sure[bins == number].mean())
        for number in np.unique(bins)
    ]
    return float(sum(gaps))


def rejection_threshold(logits: Floats, labels: Ints, *, temperature: float, keep: float) -> float:
    """The confidence below which a picture is none of the classes, so that ``keep`` of the right answers stay.

    Args:
        logits: of pictures that were not trained on, ``(n, k)``.
        labels: their classes.
        temperature: what logits are divided by.
        keep: share of the answers that are right which must not be rejected.

    Returns:
        0, which rejects nothing, where no answer was right.
    """
    right = logits.argmax(axis=1) == labels
    if not right.any():
        return 0.0
    return float(np.quantile(confidence(logits, temperature)[right], 1.0 - keep))


def auroc(known: Floats, unknown: Floats) -> float:
    """Chance that a known gesture scores higher than an unknown one, ties counted half (Mann-Whitney)."""
    if not len(known) or not len(unknown):
        raise ValueError(f"scores of both kinds are needed, got {len(known)} known and {len(unknown)} unknown")
    both = np.concatenate([known, unknown])
    _, place, count = np.unique(both, return_inverse=True, return_counts=True)
    ranks = np.cumsum(count) - (count - 1) / 2
    above = ranks[place][: len(known)].sum() - len(known) * (len(known) + 1) / 2
    return float(above / (len(known) * len(unknown)))
