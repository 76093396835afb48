"""Intervals for comparing two classifiers that answered the same pictures, and for sweeps over seeds.

``paired_difference_interval`` is method 10 of R. G. Newcombe, "Improved confidence intervals for the difference
between binomial proportions based on paired data", Statistics in Medicine 17 (1998), 2635-2650: Wilson's score
intervals of both accuracies, joined with the correlation of the answers (numerator of phi less n / 2 where positive).
It keeps a width where the two never disagree, which is the common case of an INT8 file beside its float export and
where Wald's interval and the bootstrap both collapse to a point.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import numpy as np
from numpy.typing import ArrayLike, NDArray

Z_95 = 1.959963984540054
# Student's t, 0.975 quantile, 1 to 30 degrees of freedom: scipy is not a dependency.
T_95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
    2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


@dataclass(frozen=True)
class Interval:
    """A 95 % confidence interval."""

    low: float
    high: float


@dataclass(frozen=True)
class PairedDifference:
    """Accuracy of ``a`` minus accuracy of ``b`` on the same pictures.

    Attributes:
        num_samples: pictures both answered.
        num_only_a: pictures that ``a`` alone got right.
        num_only_b: pictures that ``b`` alone got right.
        difference: accuracy of ``a`` minus that of ``b``, as a fraction.
        ci95: its interval.
    """

    num_samples: int
    num_only_a: int
    num_only_b: int
    difference: float
    ci95: Interval

    @property
    def net_loss(self) -> int:
        """Pictures lost by going from ``a`` to ``b``."""
        return self.num_only_a - self.num_only_b


@dataclass(frozen=True)
class MeanDifference:
    """Mean over seeds of variant minus reference, seed by seed.

    Attributes:
        num_seeds: seeds that both ran.
        mean: mean of the differences.
        ci95: its t interval; None for a single seed.
    """

    num_seeds: int
    mean: float
    ci95: Interval | None


def wilson_interval(num_correct: int, num_samples: int) -> Interval:
    """95 % score interval of a proportion (E. B. Wilson, JASA 22, 1927)."""
    if not 0 <= num_correct <= num_samples or num_samples == 0:
        raise ValueError(
            f"{num_correct} right of {num_samples} is no proportion: needs 0 <= right <= samples, samples > 0"
        )
    return _score_interval(num_correct / num_samples, num_samples)


def _score_interval(share: float, num_samples: float) -> Interval:
    z2 = Z_95**2
    centre = (share + z2 / (2 * num_samples)) / (1 + z2 / num_samples)
    half = Z_95 / (1 + z2 / num_samples) * math.sqrt(share * (1 - share) / num_samples + z2 / (4 * num_samples**2))
    # the share lies in it, whatever sums of floats say
    return Interval(min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half)))


def grouped_interval(correct: ArrayLike, groups: ArrayLike) -> Interval:
    """95 % score interval of an accuracy over pictures that come in groups, such as people.

    Wilson's interval for as many pictures as would vary alike if all were independent: the variance of the ratio
    estimator over groups, against the binomial one (the design effect of L. Kish, "Survey Sampling", 1965, 5.4).

    Args:
        correct: whether each picture was named right.
        groups: group of each picture.
    """
    right, names = _answers(correct, "correct"), np.asarray(groups)
    if names.shape != right.shape:
        raise ValueError(f"one group a picture needed: {right.size} pictures, groups of shape {names.shape}")
    _, rows = np.unique(names, return_inverse=True)
    sizes, hits = np.bincount(rows), np.bincount(rows, weights=right)
    share, num, num_groups = float(right.mean()), right.size, len(sizes)
    binomial = share * (1 - share) / num
    effect = 1.0
    if binomial > 0 and num_groups > 1:
        spread = float(np.square(hits - share * sizes).sum()) * num_groups / (num_groups - 1) / num**2
        effect = max(1.0, spread / binomial)
    return _score_interval(share, num / effect)


def paired_difference_interval(a_correct: ArrayLike, b_correct: ArrayLike) -> PairedDifference:
    """Difference of two accuracies on the same pictures with Newcombe's 95 % interval (method 10).

    Args:
        a_correct: whether ``a`` was right, one boolean a picture.
        b_correct: the same of ``b``, in the same order.
    """
    a, b = _answers(a_correct, "a_correct"), _answers(b_correct, "b_correct")
    if a.shape != b.shape:
        raise ValueError(f"paired answers needed: a_correct has {a.size} pictures, b_correct {b.size}")
    both, neither = int(np.sum(a & b)), int(np.sum(~a & ~b))
    return paired_difference_from_counts(both, int(np.sum(a & ~b)), int(np.sum(~a & b)), neither)


def paired_difference_from_counts(both: int, only_a: int, only_b: int, neither: int) -> PairedDifference:
    """The same from the four cells of the table of agreement."""
    num = both + only_a + only_b + neither
    share_a, share_b = (both + only_a) / num, (both + only_b) / num
    a, b = wilson_interval(both + only_a, num), wilson_interval(both + only_b, num)
    phi = _phi(both, only_a, only_b, neither)

    def joined(x: float, y: float) -> float:
        return math.sqrt(max(0.0, x * x - 2 * phi * x * y + y * y))

    difference = (only_a - only_b) / num
    low = difference - joined(share_a - a.low, b.high - share_b)
    high = difference + joined(a.high - share_a, share_b - b.low)
    return PairedDifference(num, only_a, only_b, difference, Interval(max(-1.0, low), min(1.0, high)))


def mean_difference_interval(variant: Sequence[float], reference: Sequence[float]) -> MeanDifference:
    """Mean of ``variant - reference`` over shared seeds with Student's 95 % interval."""
    if len(variant) != len(reference) or not variant:
        raise ValueError(f"one value a seed for both sides needed, got {len(variant)} and {len(reference)}")
    differences = [v - r for v, r in zip(variant, reference, strict=True)]
    num, mean = len(differences), fmean(differences)
    if num == 1:
        return MeanDifference(1, mean, None)
    half = t_quantile_95(num - 1) * stdev(differences) / math.sqrt(num)
    return MeanDifference(num, mean, Interval(mean - half, mean + half))


def t_quantile_95(num_free: int) -> float:
    """0.975 quantile of Student's t; beyond 30 degrees of freedom by the Cornish-Fisher expansion."""
    if num_free < 1:
        raise ValueError(f"degrees of freedom must be at least 1, got {num_free}")
    if num_free <= len(T_95):
        return T_95[num_free - 1]
    z = Z_95
    return z + (z**3 + z) / (4 * num_free) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * num_free**2)


def _phi(both: int, only_a: int, only_b: int, neither: int) -> float:
    """Correlation of the two answers, its numerator lessened by n / 2 but not below zero."""
    margins = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    if margins == 0:
        return 0.0
    cross = float(both * neither - only_a * only_b)
    if cross > 0:
        cross = max(0.0, cross - (both + only_a + only_b + neither) / 2)
    return cross / math.sqrt(margins)


def _answers(correct: ArrayLike, name: str) -> NDArray[np.bool_]:
    answers = np.asarray(correct)
    if answers.ndim != 1 or answers.size == 0 or not np.isin(answers, (0, 1)).all():
        raise ValueError(f"{name} should be a non-empty row of booleans, one a picture, got shape {answers.shape}")
    return answers.astype(bool)
