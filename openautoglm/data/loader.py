"""Batches in the process itself: what an epoch holds follows from (seed, epoch), not from what was read before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from openautoglm.data.base import ImageSet
from openautoglm.data.cache import content_key
from openautoglm.data.sampler import BalancedSampler, EpochPlan
from openautoglm.data.steps import PlannedLoader
from openautoglm.data.transforms import Augment, to_float
from openautoglm.tensors import UNLABELLED, Batch

EVAL_BATCH = 32
"""Pictures a step where nothing is trained: maps of more leave a processor's cache: 2 to 3 times as long."""


class Taught(Protocol):
    """What a teacher says of an epoch's pictures."""

    def __call__(self, loader: TrainLoader, epoch: int) -> NDArray[np.float32]:
        """Logits ``(n, k)``, a row a picture in the order of the epoch."""
        ...


class TrainLoader(PlannedLoader[Batch, EpochPlan]):
    """Batches of one epoch, balanced and augmented.

    Args:
        labelled: pictures with labels.
        unlabelled: pictures without; their rows follow the labelled ones.
        batch_size: pictures a step.
        sampler: chooses and orders.
        augment: changes the pictures.
        mirror: whether a mirrored picture keeps its label.
        seed: of the run.
        epoch: asked when an iteration begins.
        shard: rank and number of processes that share the steps of an epoch.
        small_px: side that pictures are shrunk to in the first epochs (progressive learning, EfficientNetV2, arXiv
            2104.00298, section 4); the net learns coarse things first, for a part of the time.
        small_epochs: how many epochs are small.
        num_prefetch: batches a thread makes ahead, see ``StepLoader``.
        num_workers: processes that make them ahead instead.
        taught: answers of a teacher that go with the pictures.
    """

    def __init__(
        self,
        *,
        labelled: ImageSet,
        unlabelled: ImageSet | None,
        batch_size: int,
        sampler: BalancedSampler,
        augment: Augment,
        mirror: bool,
        seed: int,
        epoch: Callable[[], int],
        shard: Callable[[], tuple[int, int]] = lambda: (0, 1),
        small_px: int = 64,
        small_epochs: int = 0,
        num_prefetch: int = 0,
        num_workers: int = 0,
        taught: Taught | None = None,
    ) -> None:
        super().__init__(shard=shard, epoch=epoch, num_prefetch=num_prefetch, num_workers=num_workers)
        if small_px < 32:
            raise ValueError(f"small_px={small_px} should be at least 32: less is left of no hand")
        self.labelled = labelled
        self.unlabelled = unlabelled
        self.batch_size = batch_size
        self._sampler = sampler
        self._augment = augment
        self._mirror = mirror
        self._seed = seed
        self._small_px, self._small_epochs = small_px, small_epochs
        self._taught = taught
        self._answers: tuple[int, NDArray[np.float32]] | None = None

    def __len__(self) -> int:
        _, num_ranks = self._shard()
        steps = self._sampler.num_batches(len(self.labelled), self.batch_size, num_unlabelled=self._num_unlabelled)
        return max(1, steps // num_ranks)

    def make(self, epoch: int, number: int) -> Batch:
        """A batch of this process, without a teacher's answers."""
        return self._batch(epoch, self._part(epoch, number))

    def complete(self, batch: Batch, epoch: int, number: int) -> Batch:
        """Add what a teacher says of it."""
        if self._taught is None:
            return batch
        if self._answers is None or self._answers[0] != epoch:
            self._answers = epoch, self._taught(self, epoch)
        said = self._answers[1][self._slice(epoch, self._part(epoch, number))]
        return replace(batch, taught=torch.from_numpy(np.array(said)))

    def pictures(self, epoch: int) -> Iterator[Batch]:
        """All batches of an epoch, those of other processes included, without a teacher's answers."""
        return (self._batch(epoch, part) for part in range(len(self._plan(epoch).batch_sizes)))

    def key(self, epoch: int) -> str:
        """Hash of everything that shapes the pictures of an epoch and their order."""
        parts = [self.labelled, *([self.unlabelled] if self.unlabelled is not None else [])]
        data = [(part.fingerprint, part.ids, part.labels.tobytes()) for part in parts]
        small = self._small_px if epoch < self._small_epochs else None
        return content_key(data, self._sampler, self._augment, self.batch_size, self._mirror, self._seed, small, epoch)

    @property
    def _num_unlabelled(self) -> int:
        return len(self.unlabelled) if self.unlabelled is not None else 0

    def _new_plan(self, epoch: int) -> EpochPlan:
        return self._sampler.plan(
            self.labelled.labels, self.batch_size, seed=self._seed, epoch=epoch, num_unlabelled=self._num_unlabelled
        )

    def _batch(self, epoch: int, part: int) -> Batch:
        plan, rows = self._plan(epoch), self._slice(epoch, part)
        index = plan.index[rows]
        images, labels = self._rows(index)
        image = self._augment(
            images,
            index=index,
            draw=plan.draw[rows],
            seed=self._seed,
            epoch=epoch,
            mirror=self._mirror,
            pool=self.labelled.images,
        )
        if epoch < self._small_epochs and image.shape[-1] > self._small_px:
            image = F.interpolate(image, size=2 * (self._small_px,), mode="bilinear", antialias=True)
        return Batch(image=image, label=torch.from_numpy(labels), index=torch.from_numpy(index))

    def _rows(self, index: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        num_labelled = len(self.labelled)
        known = index < num_labelled
        if known.all():
            return self.labelled.images[index], self.labelled.labels[index]
        assert self.unlabelled is not None
        images = np.empty((len(index), *self.labelled.images.shape[1:]), np.uint8)
        images[known] = self.labelled.images[index[known]]
        images[~known] = self.unlabelled.images[index[~known] - num_labelled]
        labels = np.full(len(index), UNLABELLED, np.int64)
        labels[known] = self.labelled.labels[index[known]]
        return images, labels


class EvalLoader:
    """All pictures of a split, once, in order, as they are."""

    def __init__(self, *, pictures: ImageSet, batch_size: int) -> None:
        self.pictures = pictures
        self.batch_size = batch_size

    def __len__(self) -> int:
        return -(-len(self.pictures) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, len(self.pictures), self.batch_size):
            stop = min(start + self.batch_size, len(self.pictures))
            yield Batch(
                image=to_float(self.pictures.images[start:stop]),
                label=torch.from_numpy(self.pictures.labels[start:stop].copy()),
                index=torch.arange(start, stop),
            )
