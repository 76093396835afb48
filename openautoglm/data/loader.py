"""Batches in the process itself: what an epoch holds follows from (seed, epoch), not from what was read before."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from openautoglm.data.base import ImageSet
from openautoglm.data.cache import content_key
from openautoglm.data.sampler import BalancedSampler
from openautoglm.data.transforms import Augment, to_float
from openautoglm.tensors import UNLABELLED, Batch

T = TypeVar("T")
EVAL_BATCH = 32
"""Pictures a step where nothing is trained: maps of more leave a processor's cache: 2 to 3 times as long."""


class Taught(Protocol):
    """What a teacher says of an epoch's pictures."""

    def __call__(self, loader: TrainLoader, epoch: int) -> NDArray[np.float32]:
        """Logits ``(n, k)``, a row a picture in the order of the epoch."""
        ...


class TrainLoader:
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
        num_prefetch: batches a thread makes ahead; 0 for none.
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
        taught: Taught | None = None,
    ) -> None:
        if small_px < 32:
            raise ValueError(f"small_px={small_px} should be at least 32: less is left of no hand")
        self.labelled = labelled
        self.unlabelled = unlabelled
        self.batch_size = batch_size
        self._sampler = sampler
        self._augment = augment
        self._mirror = mirror
        self._seed = seed
        self._epoch = epoch
        self._shard = shard
        self._small_px, self._small_epochs = small_px, small_epochs
        self._num_prefetch = num_prefetch
        self._taught = taught

    def __len__(self) -> int:
        _, num_ranks = self._shard()
        steps = self._sampler.num_batches(len(self.labelled), self.batch_size, num_unlabelled=self._num_unlabelled)
        return max(1, steps // num_ranks)

    def __iter__(self) -> Iterator[Batch]:
        batches = self._own_batches()
        return ahead(batches, self._num_prefetch) if self._num_prefetch else batches

    def pictures(self, epoch: int) -> Iterator[Batch]:
        """All batches of an epoch, those of other processes included, without a teacher's answers."""
        return self._batches(epoch, 0, 1, None)

    def key(self, epoch: int) -> str:
        """Hash of everything that shapes the pictures of an epoch and their order."""
        parts = [self.labelled, *([self.unlabelled] if self.unlabelled is not None else [])]
        data = [(part.fingerprint, part.ids, part.labels.tobytes()) for part in parts]
        small = self._small_px if epoch < self._small_epochs else None
        return content_key(data, self._sampler, self._augment, self.batch_size, self._mirror, self._seed, small, epoch)

    @property
    def _num_unlabelled(self) -> int:
        return len(self.unlabelled) if self.unlabelled is not None else 0

    def _own_batches(self) -> Iterator[Batch]:
        """Those of this process, of the epoch that has come when the first one is taken."""
        yield from self._batches(self._epoch(), *self._shard(), self._taught)

    def _batches(self, epoch: int, rank: int, num_ranks: int, taught: Taught | None) -> Iterator[Batch]:
        plan = self._sampler.plan(
            self.labelled.labels, self.batch_size, seed=self._seed, epoch=epoch, num_unlabelled=self._num_unlabelled
        )
        starts = np.cumsum((0, *plan.batch_sizes))
        answers = taught(self, epoch) if taught is not None else None
        for number in range(max(1, len(plan.batch_sizes) // num_ranks)):
            # every process makes the same number of steps, each with its own pictures
            step = (number * num_ranks + rank) % len(plan.batch_sizes)
            start, stop = starts[step], starts[step + 1]
            index = plan.index[start:stop]
            images, labels = self._rows(index)
            image = self._augment(
                images,
                index=index,
                draw=plan.draw[start:stop],
                seed=self._seed,
                epoch=epoch,
                mirror=self._mirror,
                pool=self.labelled.images,
            )
            if epoch < self._small_epochs and image.shape[-1] > self._small_px:
                image = F.interpolate(image, size=2 * (self._small_px,), mode="bilinear", antialias=True)
            batch = Batch(image=image, label=torch.from_numpy(labels), index=torch.from_numpy(index))
            if answers is not None:
                batch = replace(batch, taught=torch.from_numpy(np.array(answers[start:stop])))
            yield batch

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


def ahead(batches: Iterator[T], num_ahead: int) -> Iterator[T]:
    """Make batches in a thread, in the same order; the thread ends with the iteration."""
    made: queue.Queue[T | BaseException | None] = queue.Queue(num_ahead)
    stopped = threading.Event()

    def put(item: T | BaseException | None) -> bool:
        while not stopped.is_set():
            try:
                made.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for batch in batches:
                if not put(batch):
                    return
            put(None)
        except BaseException as error:  # handed to the consumer, which raises it
            put(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while (item := made.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()
