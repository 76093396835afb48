"""Batches of whole frames and of crops of their hands: augmented or composed in training, letterboxed for figures.

Each training picture follows from (seed, epoch, its number in the epoch) alone, whatever was made before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from openautoglm.data.compose import Composer
from openautoglm.data.draws import generator
from openautoglm.data.frames import Frame, FrameSet
from openautoglm.data.loader import TrainLoader
from openautoglm.data.sampler import ScenePlan, SceneSampler
from openautoglm.data.scene_augment import SceneAugment
from openautoglm.data.shown import Shown, collect, stack_crops, take_picture, with_hands
from openautoglm.data.steps import PlannedLoader, StepLoader
from openautoglm.data.transforms import to_float
from openautoglm.data.views import crop_map, letterbox_map
from openautoglm.tensors import NOWHERE, Batch, SpotBatch


class SceneLoader(PlannedLoader[SpotBatch, ScenePlan]):
    """Batches of one epoch of training.

    Args:
        frames: of the first source.
        others: of further ones, labelled by the same classes; their rows follow.
        composer: makes frames of crops; None for none.
        image_size: side of the pictures that show frames.
        crop_size: side of the crops.
        crops_per_frame: hands of each picture that are cut out; fewer where it has fewer.
        batch_size: pictures a step.
        sampler: mixes and orders.
        augment: changes the pictures.
        mirror: whether a mirrored hand keeps its label.
        seed: of the run.
        epoch: asked when an iteration begins.
        shard: rank and number of processes that share the steps of an epoch.
        small_px: side of the pictures in the first epochs, see ``TrainLoader``.
        small_epochs: how many epochs are small.
        num_prefetch: batches a thread makes ahead, see ``StepLoader``.
        num_workers: processes that make them ahead instead.
        near_size: side of the closer views, one of each picture's frame; None for none.
    """

    def __init__(
        self,
        *,
        frames: FrameSet,
        others: Sequence[FrameSet],
        composer: Composer | None,
        image_size: int,
        crop_size: int,
        crops_per_frame: int,
        batch_size: int,
        sampler: SceneSampler,
        augment: SceneAugment,
        mirror: bool,
        seed: int,
        epoch: Callable[[], int],
        shard: Callable[[], tuple[int, int]] = lambda: (0, 1),
        small_px: int = 128,
        small_epochs: int = 0,
        num_prefetch: int = 0,
        num_workers: int = 0,
        near_size: int | None = None,
    ) -> None:
        super().__init__(shard=shard, epoch=epoch, num_prefetch=num_prefetch, num_workers=num_workers)
        self.frames = frames
        self.others = tuple(others)
        self.batch_size = batch_size
        self._composer = composer
        self._image_size, self._crop_size, self._crops_per_frame = image_size, crop_size, crops_per_frame
        self._sampler = sampler
        self._augment = augment
        self._mirror = mirror
        self._seed = seed
        self._small_px, self._small_epochs = min(small_px, image_size), small_epochs
        self._near_size = near_size
        self._starts = np.cumsum([0, *(len(part) for part in (frames, *self.others))])

    def __len__(self) -> int:
        _, num_ranks = self._shard()
        return max(1, self._sampler.num_batches(len(self.frames), self.batch_size) // num_ranks)

    def make(self, epoch: int, number: int) -> SpotBatch:
        """A batch of this process."""
        plan, places = self._plan(epoch), self._slice(epoch, self._part(epoch, number))
        numbers, rows = np.arange(places.start, places.stop), plan.frames[places]
        shown = [self._show(row, plan.crops[one], int(one), epoch) for row, one in zip(rows, numbers, strict=True)]
        return self._batch(shown, rows, numbers, epoch)

    def _new_plan(self, epoch: int) -> ScenePlan:
        return self._sampler.plan(
            self.batch_size,
            num_frames=len(self.frames),
            num_others=int(self._starts[-1]) - len(self.frames),
            crop_labels=self._composer.crops.labels if self._composer is not None else None,
            seed=self._seed,
            epoch=epoch,
        )

    def _show(self, row: int, crops: NDArray[np.int64], number: int, epoch: int) -> Shown:
        random = generator(self._seed, epoch, 1 + int(number))  # zeros at the end of a key do not count
        if row < 0:
            assert self._composer is not None
            frame = self._composer([int(crop) for crop in crops], random)
        else:
            frame = self._frame(int(row))
        size = self._small_px if epoch < self._small_epochs else self._image_size
        to_frame = self._augment.view(frame, size, random, mirror=self._mirror)
        hands = random.permutation(len(frame.labels))[: self._crops_per_frame]
        maps = [
            self._augment.crop(frame.boxes_px[hand], self._crop_size, random, mirror=self._mirror) for hand in hands
        ]
        shown = take_picture(frame, to_frame, size, maps, frame.labels[hands], self._crop_size)
        if self._near_size is None:
            return shown
        closer = self._augment.near(frame, self._near_size, random, mirror=self._mirror)
        return replace(shown, near=take_picture(frame, closer, self._near_size, (), frame.labels[:0], self._crop_size))

    def _frame(self, row: int) -> Frame:
        part = int(np.searchsorted(self._starts, row, side="right")) - 1
        return (self.frames, *self.others)[part].frame(row - int(self._starts[part]))

    def _batch(
        self, shown: Sequence[Shown], rows: NDArray[np.int64], numbers: NDArray[np.int64], epoch: int
    ) -> SpotBatch:
        """Light falls on pictures and crops apart: they need not match, and each depends on its own number."""
        develop, seed = self._augment.light.develop, self._seed
        image = develop(
            np.stack([one.image for one in shown]), index=numbers, draw=np.zeros_like(numbers), seed=seed, epoch=epoch
        )
        counts = np.array([len(one.crops) for one in shown])
        crops = develop(
            stack_crops(shown, self._crop_size),
            index=np.repeat(numbers, counts),
            draw=1 + np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts),
            seed=seed,
            epoch=epoch,
        )
        batch = collect(shown, image, crops, rows)
        near = [one.near for one in shown if one.near is not None]
        if not near:
            return batch
        closer = develop(
            np.stack([one.image for one in near]),
            index=numbers,
            draw=np.full_like(numbers, 1 + self._crops_per_frame),
            seed=seed,
            epoch=epoch,
        )
        return replace(batch, near=with_hands(closer, near))


class WithCrops(StepLoader[SpotBatch]):
    """Batches of scenes whose second look also learns from hand crops that were never in a frame.

    Args:
        scenes: batches of one epoch.
        crops: as many batches of crops.
        epoch: asked when an iteration begins.
        num_prefetch: batches a thread makes ahead, see ``StepLoader``.
        num_workers: processes that make them ahead instead.

    Raises:
        ValueError: there are fewer or more batches of crops.
    """

    def __init__(
        self,
        *,
        scenes: SceneLoader,
        crops: TrainLoader,
        epoch: Callable[[], int],
        num_prefetch: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__(epoch=epoch, num_prefetch=num_prefetch, num_workers=num_workers)
        if len(scenes) != len(crops):
            raise ValueError(f"{len(scenes)} batches of scenes need as many of crops, got {len(crops)}")
        self.scenes, self.crops = scenes, crops

    def __len__(self) -> int:
        return len(self.scenes)

    def make(self, epoch: int, number: int) -> SpotBatch:
        """A batch of this process."""
        batch, more = self.scenes.make(epoch, number), self.crops.make(epoch, number)
        joined = Batch(
            image=torch.cat([batch.crops.image, more.image]),
            label=torch.cat([batch.crops.label, more.label]),
            index=torch.cat([batch.crops.index, torch.full_like(more.index, NOWHERE)]),
        )
        return replace(batch, crops=joined)


class FrameLoader:
    """All frames of a split, once, in order, as they are seen at inference, with a crop of each of their hands.

    Args:
        frames: the split.
        image_size: side of the pictures that show frames.
        crop_size: side of the crops.
        crop_margin: context round a hand on each side, as a part of the box's longer side.
        batch_size: frames a step.
    """

    def __init__(
        self, *, frames: FrameSet, image_size: int, crop_size: int, crop_margin: float, batch_size: int
    ) -> None:
        self.frames = frames
        self.batch_size = batch_size
        self._image_size, self._crop_size, self._crop_margin = image_size, crop_size, crop_margin

    def __len__(self) -> int:
        return -(-len(self.frames) // self.batch_size)

    def __iter__(self) -> Iterator[SpotBatch]:
        for start in range(0, len(self.frames), self.batch_size):
            rows = np.arange(start, min(start + self.batch_size, len(self.frames)))
            shown = [self._show(self.frames.frame(int(row))) for row in rows]
            image = to_float(np.stack([one.image for one in shown]))
            yield collect(shown, image, to_float(stack_crops(shown, self._crop_size)), rows)

    def _show(self, frame: Frame) -> Shown:
        height, width = frame.image.shape[:2]
        maps = [crop_map(box, self._crop_size, margin=self._crop_margin) for box in frame.boxes_px]
        to_frame = letterbox_map(height, width, self._image_size)
        return take_picture(frame, to_frame, self._image_size, maps, frame.labels, self._crop_size)
