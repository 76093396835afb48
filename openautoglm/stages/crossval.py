"""What to expect on new pictures when none can be spared: every picture is judged by a net that never saw it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from openautoglm.bench.calibration import (
    calibration_error,
    confidence,
    fit_temperature,
    log_softmax,
    rejection_threshold,
)
from openautoglm.bench.paired import grouped_interval, wilson_interval
from openautoglm.bench.result import EstimateResult
from openautoglm.data.base import ImageSet
from openautoglm.data.groups import Groups, find_groups, fold_of_each
from openautoglm.stages.evaluate import Logits, predict


@dataclass(frozen=True, kw_only=True)
class Unseen:
    """Answers on pictures that the answering net was not trained on.

    Attributes:
        pictures: which.
        logits: ``(n, k)``.
        groups: which pictures belong together.
        num_folds: trainings behind them; 0 for one net and a split that was held out.
    """

    pictures: ImageSet
    logits: Logits
    groups: Groups
    num_folds: int


def cross_validate(
    pictures: ImageSet,
    train: Callable[[ImageSet, ImageSet, int], nn.Module],
    *,
    num_folds: int,
    seed: int,
    folder: Path,
) -> Unseen:
    """Train on all folds but one, answer that one, in turn.

    Args:
        pictures: all there are.
        train: training pictures, those left out and the number of the fold, to a net.
        num_folds: at most; fewer where a class or the groups have fewer.
        seed: of the folds.
        folder: keeps the answers of finished folds, so that a killed run goes on.
    """
    groups = find_groups(pictures.ids, pictures.labels)
    num_folds = max(2, min(num_folds, groups.num_groups))
    fold = fold_of_each(groups, pictures.labels, num_folds=num_folds, seed=seed)
    logits = np.zeros((len(pictures), len(pictures.classes)), np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(num_folds):
        inside, outside = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        kept = folder / f"fold_{number}.npy"
        if not kept.exists():
            net = train(pictures.take(inside.tolist()), pictures.take(outside.tolist()), number)
            fresh = kept.with_suffix(".part")
            with fresh.open("wb") as file:
                np.save(file, predict(net.eval(), pictures.take(outside.tolist())), allow_pickle=False)
            fresh.replace(kept)
        logits[outside] = np.load(kept, allow_pickle=False)
    return Unseen(pictures=pictures, logits=logits, groups=groups, num_folds=num_folds)


def estimate(unseen: Unseen, *, keep: float) -> EstimateResult:
    """Accuracy with its interval, calibration, the threshold of rejection and the labels that are doubted.

    Args:
        unseen: answers to judge by.
        keep: share of the right answers that the threshold must keep.
    """
    logits, labels, groups = unseen.logits, unseen.pictures.labels, unseen.groups
    right = logits.argmax(axis=1) == labels
    if groups.found_by is None:
        interval = wilson_interval(int(right.sum()), len(right))
    else:
        interval = grouped_interval(right, groups.numbers)
    temperature = fit_temperature(logits, labels)
    errors = calibration_error(logits, labels), calibration_error(logits, labels, temperature=temperature)
    return EstimateResult(
        top1=float(right.mean()),
        ci95=(interval.low, interval.high),
        num_samples=len(labels),
        num_folds=unseen.num_folds,
        grouped_by=groups.found_by,
        num_groups=None if groups.found_by is None else groups.num_groups,
        temperature=temperature,
        calibration_error=errors,
        reject_below=rejection_threshold(logits, labels, temperature=temperature, keep=keep),
        suspects=tuple(unseen.pictures.ids[row] for row in _suspects(logits / temperature, unseen.pictures)),
    )


def _suspects(logits: Logits, pictures: ImageSet) -> list[int]:
    """Pictures that look like another class as much as most of that class's own pictures do, the surest first.

    Confident learning (Northcutt et al., arXiv 1911.00068, eq. 2) takes the mean probability of a class over the
    pictures labelled so; here it is the lower quartile: of a few pictures the mean is above nearly all doubtful ones.
    """
    probability, labels = np.exp(log_softmax(logits)), pictures.labels
    own = [probability[labels == row, row] for row in range(probability.shape[1])]
    thresholds = np.array([np.quantile(values, 0.25) if len(values) else 1.0 for values in own])
    answer, sure = logits.argmax(axis=1), confidence(logits)
    doubted = (answer != labels) & (sure >= thresholds[answer])
    rows = np.flatnonzero(doubted)
    return [int(row) for row in rows[np.argsort(-sure[rows], kind="stable")]]
