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
        chosen = _balanced(labels, self.num_samples or len(labels), self.power, random)[: sum(sizes)]
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


@dataclass(frozen=True, kw_only=True)
class ScenePlan:
    """The pictures of one epoch in order.

    Attributes:
        frames: row of the frame that each shows, the frames of further sources after the first one's; -1 for a
            picture that is composed of hand crops, ``(n,)``.
        crops: rows of the crops it is composed of, an empty array where it shows a frame; ``n`` arrays.
        batch_sizes: how many pictures each step takes.
    """

    frames: NDArray[np.int64]
    crops: tuple[NDArray[np.int64], ...]
    batch_sizes: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class SceneSampler:
    """Mixes frames of one source, frames of further ones and frames composed of hand crops.

    Attributes:
        num_samples: pictures an epoch; None takes as many as the first source has.
        other_fraction: part of the pictures that shows frames of further sources, where there are any.
        composed_fraction: part of the pictures that is composed, where there are crops.
        most_hands: in a composed picture; fewer are more frequent.
        power: balance of the composed hands' classes, see ``BalancedSampler``.
    """

    num_samples: int | None = None
    other_fraction: float = 0.3
    composed_fraction: float = 0.3
    most_hands: int = 5
    power: float = 0.75

    def __post_init__(self) -> None:
        fractions = self.other_fraction, self.composed_fraction
        if min(fractions) < 0 or sum(fractions) > 1:
            raise ValueError(
                f"other_fraction={fractions[0]} and composed_fraction={fractions[1]} should be parts of the pictures "
                "that sum to 1 at most"
            )
        if self.most_hands < 1 or (self.num_samples is not None and self.num_samples < 1):
            raise ValueError(f"most_hands={self.most_hands}, num_samples={self.num_samples}: give at least 1 of each")

    def num_batches(self, num_frames: int, batch_size: int) -> int:
        """Steps an epoch; a short last batch is left out unless it is the only one."""
        return max(1, (self.num_samples or num_frames) // batch_size)

    def plan(
        self,
        batch_size: int,
        *,
        num_frames: int,
        num_others: int,
        crop_labels: NDArray[np.int64] | None,
        seed: int,
        epoch: int,
    ) -> ScenePlan:
        """Choose and order the pictures of an epoch.

        Args:
            batch_size: pictures a step.
            num_frames: frames of the first source.
            num_others: frames of the further ones together.
            crop_labels: of the crops to compose from, or None.
            seed: of the run.
            epoch: of the run.
        """
        random = generator(seed, epoch)
        num = self.num_samples or num_frames
        composed = round(num * self.composed_fraction) if crop_labels is not None else 0
        others = round(num * self.other_fraction) if num_others else 0
        own = _repeated(np.arange(num_frames), num - composed - others, random)
        further = num_frames + _repeated(np.arange(num_others), others, random)
        frames = random.permutation(np.concatenate([own, further, np.full(composed, -1)]))
        counts = np.where(frames < 0, 1 + (self.most_hands * random.random(num) ** 2).astype(np.int64), 0)
        hands = np.empty(0, np.int64)
        if crop_labels is not None and composed:
            hands = _balanced(crop_labels, int(counts.sum()), self.power, random)
        steps = self.num_batches(num_frames, batch_size)
        size = min(batch_size, num)
        return ScenePlan(
            frames=frames[: steps * size],
            crops=tuple(np.split(hands, np.cumsum(counts)[:-1]))[: steps * size],
            batch_sizes=(size,) * steps,
        )


def _balanced(labels: NDArray[np.int64], num: int, power: float, random: np.random.Generator) -> NDArray[np.int64]:
    """``num`` rows in random order, a class of n in proportion to n ** (1 - power)."""
    names, counts = np.unique(labels, return_counts=True)
    shares = counts ** (1.0 - power)
    exact = shares / shares.sum() * num
    quotas = np.floor(exact).astype(np.int64)
    # the pictures lost by rounding go to the largest remainders
    short = num - int(quotas.sum())
    quotas[np.argsort(quotas - exact, kind="stable")[:short]] += 1
    rows = [
        _repeated(np.flatnonzero(labels == name), int(quota), random) for name, quota in zip(names, quotas, strict=True)
    ]
    return random.permutation(np.concatenate(rows))


def _repeated(rows: NDArray[np.int64], num: int, random: np.random.Generator) -> NDArray[np.int64]:
    """``num`` of the rows in random order; none is shown again before all were."""
    rounds = -(-num // max(1, len(rows)))
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
