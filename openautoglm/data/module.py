"""The data of a run for a Lightning trainer: train, dev and test of one source as ``Batch``es."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from openautoglm.data.base import ImageSet, Source
from openautoglm.data.epochs import EpochData
from openautoglm.data.loader import EVAL_BATCH, EvalLoader, Taught, TrainLoader
from openautoglm.data.sampler import BalancedSampler
from openautoglm.data.transforms import Augment
from openautoglm.tensors import Batch


@runtime_checkable
class _HasUnlabelled(Protocol):
    def load_unlabelled(self) -> ImageSet: ...


def load_unlabelled(source: Source, fraction: float) -> ImageSet:
    """A source's pictures without labels.

    Raises:
        ValueError: it has none, so ``fraction`` of a batch cannot be drawn from them.
    """
    if not isinstance(source, _HasUnlabelled):
        raise ValueError(f"unlabelled_fraction={fraction}, but {source.name} has no unlabelled pictures; set it to 0")
    return source.load_unlabelled()


class GestureData(EpochData):
    """Reads a source and yields batches; what epoch n holds depends on ``seed`` and n alone.

    Args:
        source: where the pictures come from.
        batch_size: pictures a training step.
        sampler: balance of the classes; ``BalancedSampler()`` when None.
        augment: changes to training pictures; ``Augment()`` when None.
        seed: of order and augmentation.
        eval_batch_size: pictures a step in dev and test.
        small_px: side of training pictures in the first ``small_epochs``, see ``TrainLoader``.
        small_epochs: how many epochs are small.
        num_prefetch: training batches made ahead by a thread, see ``StepLoader``.
        num_workers: processes that make them ahead instead.
        taught: answers of a teacher that go with the training pictures, such as a ``CachedTeacher``.
    """

    def __init__(
        self,
        *,
        source: Source,
        batch_size: int = 64,
        sampler: BalancedSampler | None = None,
        augment: Augment | None = None,
        seed: int = 0,
        eval_batch_size: int = EVAL_BATCH,
        small_px: int = 64,
        small_epochs: int = 0,
        num_prefetch: int = 0,
        num_workers: int = 0,
        taught: Taught | None = None,
    ) -> None:
        super().__init__()
        for name, value in (("batch_size", batch_size), ("eval_batch_size", eval_batch_size)):
            if value < 1:
                raise ValueError(f"{name}={value} should be at least 1")
        self.source = source
        self.batch_size = batch_size
        self.sampler = sampler or BalancedSampler()
        self.augment = augment or Augment()
        self.seed = seed
        self.eval_batch_size = eval_batch_size
        self.small_px, self.small_epochs = small_px, small_epochs
        self.num_prefetch, self.num_workers = num_prefetch, num_workers
        self.taught = taught
        self._sets: dict[str, ImageSet] = {}

    @property
    def train(self) -> ImageSet:
        """Pictures to learn from."""
        if "train" not in self._sets:
            self._sets["train"] = _trainable(self.source.load("train"))
        return self._sets["train"]

    @property
    def dev(self) -> ImageSet:
        """Pictures to choose with."""
        if "dev" not in self._sets:
            self._sets["dev"] = self.source.load("dev")
        return self._sets["dev"]

    @property
    def test(self) -> ImageSet:
        """Pictures for the figure."""
        if "test" not in self._sets:
            self._sets["test"] = self.source.load("test")
        return self._sets["test"]

    @property
    def unlabelled(self) -> ImageSet | None:
        """Pictures for distillation only; None unless the sampler asks for some."""
        if not self.sampler.unlabelled_fraction:
            return None
        if "unlabelled" not in self._sets:
            self._sets["unlabelled"] = load_unlabelled(self.source, self.sampler.unlabelled_fraction)
        return self._sets["unlabelled"]

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of their indices."""
        return self.source.class_names()

    @property
    def num_classes(self) -> int:
        """How many classes there are."""
        return len(self.classes)

    @property
    def fingerprint(self) -> str:
        """Hash of everything that training and choosing can see."""
        seen = [self.train, self.dev, *([self.unlabelled] if self.unlabelled is not None else [])]
        return hashlib.sha256("".join(part.fingerprint for part in seen).encode()).hexdigest()

    def setup(self, stage: str) -> None:
        """Read what a stage of the trainer needs."""
        if stage in ("fit", "validate"):
            _ = self.dev
        if stage == "fit":
            _ = self.train, self.unlabelled
        if stage == "test":
            _ = self.test

    def train_dataloader(self) -> TrainLoader:
        """Balanced, augmented batches of the current epoch."""
        return TrainLoader(
            labelled=self.train,
            unlabelled=self.unlabelled,
            batch_size=self.batch_size,
            sampler=self.sampler,
            augment=self.augment,
            mirror=self.source.mirror,
            seed=self.seed,
            epoch=self.current_epoch,
            shard=self.shard,
            small_px=self.small_px,
            small_epochs=self.small_epochs,
            num_prefetch=self.num_prefetch,
            num_workers=self.num_workers,
            taught=self.taught,
        )

    def val_dataloader(self) -> EvalLoader:
        """``dev`` in order."""
        return EvalLoader(pictures=self.dev, batch_size=self.eval_batch_size)

    def test_dataloader(self) -> EvalLoader:
        """``test`` in order."""
        return EvalLoader(pictures=self.test, batch_size=self.eval_batch_size)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:  # noqa: ARG002
        """Move the tensors of a batch."""
        return replace(
            batch,
            image=batch.image.to(device, non_blocking=True),
            label=batch.label.to(device, non_blocking=True),
            index=batch.index.to(device, non_blocking=True),
            taught=None if batch.taught is None else batch.taught.to(device, non_blocking=True),
        )


def _trainable(pictures: ImageSet) -> ImageSet:
    """Refuse what nothing can be learnt from."""
    present = np.unique(pictures.labels)
    if len(pictures.classes) < 2 or len(present) < 2:
        only = pictures.classes[int(present[0])] if len(present) else "none"
        raise ValueError(
            f"{pictures.name} has pictures of one class only ({only}); a classifier needs at least two classes"
        )
    return pictures
