"""The whole frames of a run for a Lightning trainer: train, dev and test as ``SpotBatch``es."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from openautoglm.data.base import ImageSet, Source, Split
from openautoglm.data.compose import Composer
from openautoglm.data.epochs import EpochData
from openautoglm.data.frames import FrameSet, FrameSource
from openautoglm.data.loader import TrainLoader
from openautoglm.data.module import load_unlabelled
from openautoglm.data.sampler import BalancedSampler, SceneSampler
from openautoglm.data.scene_augment import SceneAugment
from openautoglm.data.scenes import FrameLoader, SceneLoader, WithCrops
from openautoglm.data.splits import align_frames, known_classes
from openautoglm.data.transforms import Augment
from openautoglm.tensors import Batch, NearBatch, SpotBatch


class SpotData(EpochData):
    """Reads frames and yields batches; what epoch n holds depends on ``seed`` and n alone.

    Args:
        source: frames to train on, to choose with and to measure on; its classes are the classes.
        others: frames that only train; hands of a gesture that ``source`` does not know train the glance alone.
        crops: hand crops that frames are composed of, in training only.
        plain_crops: crops of a batch that the second look sees as they are, beside those cut out of frames.
        plain: balance of these, and which part of them has no label; ``BalancedSampler(power=0.75)`` when None.
        plain_augment: changes to them; ``Augment()`` when None.
        image_size: side of the square that a frame is fitted into.
        crop_size: side of the crops for the second look.
        batch_size: pictures a training step.
        crops_per_frame: hands of each training picture that are cut out.
        crop_margin: context round a hand in dev and test, as a part of the box's longer side.
        sampler: mixes the sources; ``SceneSampler()`` when None.
        augment: changes to training pictures; ``SceneAugment()`` when None.
        compose_px: longer side of a composed frame.
        prob_mosaic: composed pictures that show up to four frames with hands instead of one.
        small_px: side of the pictures in the first ``small_epochs``, a multiple of 32.
        small_epochs: how many epochs are small.
        seed: of order, composition and augmentation.
        eval_batch_size: frames a step in dev and test.
        num_prefetch: training batches made ahead by a thread, see ``StepLoader``.
        num_workers: processes that make them ahead instead.
        near_size: side of the closer views that training shows beside the frames; None for none.
    """

    def __init__(
        self,
        *,
        source: FrameSource,
        others: Sequence[FrameSource] = (),
        crops: Source | None = None,
        plain_crops: int = 0,
        plain: BalancedSampler | None = None,
        plain_augment: Augment | None = None,
        image_size: int = 192,
        crop_size: int = 96,
        batch_size: int = 32,
        crops_per_frame: int = 1,
        crop_margin: float = 0.1,
        sampler: SceneSampler | None = None,
        augment: SceneAugment | None = None,
        compose_px: int = 384,
        prob_mosaic: float = 0.0,
        small_px: int = 128,
        small_epochs: int = 0,
        seed: int = 0,
        eval_batch_size: int = 64,
        num_prefetch: int = 0,
        num_workers: int = 0,
        near_size: int | None = None,
    ) -> None:
        super().__init__()
        sizes = {"image_size": image_size, "crop_size": crop_size, "batch_size": batch_size, "compose_px": compose_px}
        for name, value in (*sizes.items(), ("eval_batch_size", eval_batch_size), ("crops_per_frame", crops_per_frame)):
            if value < 1:
                raise ValueError(f"{name}={value} should be at least 1")
        self.source = source
        self.others = tuple(others)
        if plain_crops < 0 or (plain_crops and crops is None):
            raise ValueError(f"plain_crops={plain_crops} should be 0, or a number of crops with data to take them from")
        self.crops = crops
        self.plain_crops, self.plain = plain_crops, plain or BalancedSampler(power=0.75)
        self.plain_augment = plain_augment or Augment()
        self.image_size = image_size
        self.crop_size = crop_size
        self.batch_size = batch_size
        self.crops_per_frame = crops_per_frame
        self.crop_margin = crop_margin
        self.sampler = sampler or SceneSampler()
        self.augment = augment or SceneAugment()
        if small_px < 32 or small_px % 32:
            raise ValueError(f"small_px={small_px} should be a multiple of 32")
        if not 0 <= prob_mosaic <= 1:
            raise ValueError(f"prob_mosaic={prob_mosaic} should lie between 0 and 1")
        self.compose_px, self.prob_mosaic = compose_px, prob_mosaic
        self.small_px, self.small_epochs = small_px, small_epochs
        self.seed = seed
        self.eval_batch_size = eval_batch_size
        self._ahead = {"num_prefetch": num_prefetch, "num_workers": num_workers}
        self.near_size = near_size
        self._sets: dict[Split, FrameSet] = {}
        self._further: tuple[FrameSet, ...] | None = None
        self._crop_set: ImageSet | None = None
        self._unlabelled: ImageSet | None = None

    @property
    def train(self) -> FrameSet:
        """Frames of the first source to learn from."""
        return self._split("train")

    @property
    def dev(self) -> FrameSet:
        """Frames to choose with."""
        return self._split("dev")

    @property
    def test(self) -> FrameSet:
        """Frames for the figure."""
        return self._split("test")

    @property
    def further(self) -> tuple[FrameSet, ...]:
        """Training frames of the further sources, labelled by the first one's classes."""
        if self._further is None:
            self._further = tuple(align_frames(other.load_frames("train"), self.classes) for other in self.others)
        return self._further

    @property
    def crop_set(self) -> ImageSet | None:
        """Crops that frames are composed of, labelled by the first source's classes."""
        if self.crops is not None and self._crop_set is None:
            self._crop_set = known_classes(self.crops.load("train"), self.classes)
        return self._crop_set

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of their indices."""
        return self.source.class_names()

    @property
    def num_classes(self) -> int:
        """How many classes there are."""
        return len(self.classes)

    @property
    def mirror(self) -> bool:
        """Whether a mirrored hand keeps its label in all that is trained on."""
        frames_may = all(source.mirror for source in (self.source, *self.others))
        return frames_may and (self.crops is None or self.crops.mirror)

    @property
    def fingerprint(self) -> str:
        """Hash of everything that training and choosing can see."""
        seen = [part.fingerprint for part in (self.train, self.dev, *self.further)]
        if self.crop_set is not None:
            seen.append(self.crop_set.fingerprint)
        if self.unlabelled is not None:
            seen.append(self.unlabelled.fingerprint)
        return hashlib.sha256("".join(seen).encode()).hexdigest()

    def setup(self, stage: str) -> None:
        """Read what a stage of the trainer needs."""
        if stage in ("fit", "validate"):
            _ = self.dev
        if stage == "fit":
            _ = self.train, self.further, self.crop_set, self.unlabelled
        if stage == "test":
            _ = self.test

    @property
    def unlabelled(self) -> ImageSet | None:
        """Crops for distillation only; None unless ``plain`` asks for some."""
        if not (self.plain_crops and self.plain.unlabelled_fraction and self.crops is not None):
            return None
        if self._unlabelled is None:
            self._unlabelled = load_unlabelled(self.crops, self.plain.unlabelled_fraction)
        return self._unlabelled

    def train_dataloader(self) -> SceneLoader | WithCrops:
        """Augmented and composed batches of the current epoch."""
        if not self.plain_crops:
            return self._scenes(**self._ahead)
        assert self.crop_set is not None
        # as many steps as the scenes have, on every rank
        steps = self.sampler.num_batches(len(self.train), self.batch_size)
        labelled = self.plain_crops - round(self.plain_crops * self.plain.unlabelled_fraction)
        crops = TrainLoader(
            labelled=self.crop_set,
            unlabelled=self.unlabelled,
            batch_size=self.plain_crops,
            sampler=replace(self.plain, num_samples=steps * labelled),
            augment=self.plain_augment,
            mirror=self.mirror,
            seed=self.seed,
            epoch=self.current_epoch,
            shard=self.shard,
        )
        return WithCrops(scenes=self._scenes(), crops=crops, epoch=self.current_epoch, **self._ahead)

    def _scenes(self, num_prefetch: int = 0, num_workers: int = 0) -> SceneLoader:
        return SceneLoader(
            frames=self.train,
            others=self.further,
            composer=self._composer(),
            image_size=self.image_size,
            crop_size=self.crop_size,
            crops_per_frame=self.crops_per_frame,
            batch_size=self.batch_size,
            sampler=self.sampler,
            augment=self.augment,
            mirror=self.mirror,
            seed=self.seed,
            epoch=self.current_epoch,
            shard=self.shard,
            small_px=self.small_px,
            small_epochs=self.small_epochs,
            num_prefetch=num_prefetch,
            num_workers=num_workers,
            near_size=self.near_size,
        )

    def val_dataloader(self) -> FrameLoader:
        """``dev`` in order."""
        return self._frame_loader(self.dev)

    def test_dataloader(self) -> FrameLoader:
        """``test`` in order."""
        return self._frame_loader(self.test)

    def transfer_batch_to_device(self, batch: SpotBatch, device: torch.device, dataloader_idx: int) -> SpotBatch:  # noqa: ARG002
        """Move the tensors of a batch."""

        def moved(part: SpotBatch | NearBatch | Batch) -> dict[str, torch.Tensor]:
            tensors = {name: value for name, value in vars(part).items() if isinstance(value, torch.Tensor)}
            return {name: value.to(device, non_blocking=True) for name, value in tensors.items()}

        near = None if batch.near is None else replace(batch.near, **moved(batch.near))
        return replace(batch, crops=replace(batch.crops, **moved(batch.crops)), near=near, **moved(batch))

    def _split(self, split: Split) -> FrameSet:
        if split not in self._sets:
            found = self.source.load_frames(split)
            if split == "train":
                _check(found)
            self._sets[split] = found
        return self._sets[split]

    def _composer(self) -> Composer | None:
        if self.crop_set is None:
            return None
        return Composer(
            crops=self.crop_set,
            grounds=(self.train, *self.further),
            longest_px=self.compose_px,
            prob_mosaic=self.prob_mosaic,
        )

    def _frame_loader(self, frames: FrameSet) -> FrameLoader:
        return FrameLoader(
            frames=frames,
            image_size=self.image_size,
            crop_size=self.crop_size,
            crop_margin=self.crop_margin,
            batch_size=self.eval_batch_size,
        )


def _check(frames: FrameSet) -> None:
    """Refuse what nothing can be learnt from."""
    labels = np.concatenate([frames.labels, frames.frame_labels])
    present = np.unique(labels[labels >= 0])
    if len(present) < 2:
        only = ", ".join(frames.classes[row] for row in present) or "none"
        raise ValueError(
            f"{frames.name} has hands of too few gestures ({only}); naming them needs at least two: give such frames "
            "as others, beside a source that has more"
        )
