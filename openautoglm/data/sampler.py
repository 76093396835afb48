"""Which pictures an epoch shows, and in which batches: a pure function of (seed, epoch)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from openautoglm.data.draws import generator


@dataclass(frozen=True, kw_only=True)
class EpochPlan:
    """The pictures of one epoch in order.

    Attributes:
        index: row of each picture; rows from ``len(labels)`` on are unlabelled pictures.
        draw: how many times that row was shown before in this epoch.
        batch_sizes: how many pictures each step takes.
    """

    index: NDArray[np.int64]
    draw: NDArray[np.int64]
    batch_sizes: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class BalancedSampler:
    """Shows rare classes more often: each picture of a class of n is drawn in proportion to n ** -power.

    Attributes:
        power: 0 leaves the classes as they are, 1 makes them equal.
        num_samples: labelled pictures an epoch; None takes as many as there are.
        unlabelled_fraction: part of every batch that is drawn from the unlabelled pictures.
        drop_last: whether a short last batch is left out; never when it is the only one.
    """

    power: float = 0.5
    num_samples: int | None = None
    unlabelled_fraction: float = 0.0
    drop_last: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.power <= 1:
            raise ValueError(f"power={self.power} should lie between 0 (as they are) and 1 (classes equal)")
        if not 0 <= self.unlabelled_fraction < 1:
            raise ValueError(f"unlabelled_fraction={self.unlabelled_fraction} should be at least 0 and less than 1")
        if self.num_samples is not None and self.num_samples < 1:
            raise ValueError(f"num_samples={self.num_samples} should be at least 1, or null for all pictures")

    def num_batches(self, num_labelled: int, batch_size: int, *, num_unlabelled: int = 0) -> int:
        """Steps an epoch."""
        return len(self._batch_sizes(num_labelled, self._labelled_a_batch(batch_size, num_unlabelled)))

    def plan(
        self, labels: NDArray[np.int64], batch_size: int, *, seed: int, epoch: int, num_unlabelled: int = 0
    ) -> EpochPlan:
        """Choose and order the pictures of an epoch."""
        random = generator(seed, epoch)
        per_batch = self._labelled_a_batch(batch_size, num_unlabelled)
        sizes = self._batch_sizes(len(labels), per_batch)
        chosen = self._balanced(labels, random)[: sum(sizes)]
        if num_unlabelled and per_batch < batch_size:
            extra = batch_size - per_batch
            others = len(labels) + _repeated(np.arange(num_unlabelled), extra * len(sizes), random)
            starts = np.cumsum((0, *sizes[:-1]))
            pieces = [
                np.concatenate([chosen[start : start + size], others[extra * step : extra * (step + 1)]])
                for step, (start, size) in enumerate(zip(starts, sizes, strict=True))
            ]
            chosen, sizes = np.concatenate(pieces), tuple(size + extra for size in sizes)
        return EpochPlan(index=chosen, draw=_occurrence(chosen), batch_sizes=sizes)

    def _labelled_a_batch(self, batch_size: int, num_unlabelled: int) -> int:
        unlabelled = round(batch_size * self.unlabelled_fraction) if num_unlabelled else 0
        return max(1, batch_size - unlabelled)

    def _batch_sizes(self, num_labelled: int, per_batch: int) -> tuple[int, ...]:
        full, rest = divmod(self.num_samples or num_labelled, per_batch)
        keep_rest = rest and (not self.drop_last or not full)
        return (per_batch,) * full + ((rest,) if keep_rest else ())

    def _balanced(self, labels: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
        names, counts = np.unique(labels, return_counts=True)
        shares = counts ** (1.0 - self.power)
        exact = shares / shares.sum() * (self.num_samples or len(labels))
        quotas = np.floor(exact).astype(np.int64)
        # the pictures lost by rounding go to the largest remainders
        short = (self.num_samples or len(labels)) - int(quotas.sum())
        quotas[np.argsort(quotas - exact, kind="stable")[:short]] += 1
        rows = [
            _repeated(np.flatnonzero(labels == name), int(quota), random)
            for name, quota in zip(names, quotas, strict=True)
        ]
        return random.permutation(np.concatenate(rows))


def _repeated(rows: NDArray[np.int64], num: int, random: np.random.Generator) -> NDArray[np.int64]:
    """``num`` of the rows in random order; none is shown again before all were."""
    rounds = -(-num // len(rows))
    return np.concatenate([random.permutation(rows) for _ in range(rounds)] or [rows[:0]])[:num]


def _occurrence(chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each element, how many equal ones stand before it."""
    order = np.argsort(chosen, kind="stable")
    first = np.r_[True, np.diff(chosen[order]) != 0]
    starts = np.flatnonzero(first)
    within = np.arange(len(chosen)) - np.repeat(starts, np.diff(np.r_[starts, len(chosen)]))
    draw = np.empty_like(chosen)
    draw[order] = within
    return draw
