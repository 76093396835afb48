"""What a run on whole frames trains on: the arguments of ``SpotData`` that do not depend on the net."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from openautoglm.data.base import Source
from openautoglm.data.frames import FrameSource
from openautoglm.data.sampler import BalancedSampler, SceneSampler
from openautoglm.data.scene_augment import SceneAugment
from openautoglm.data.spot import SpotData
from openautoglm.data.transforms import Augment


@dataclass(frozen=True, kw_only=True)
class FrameMix:
    """A mix of frames and crops; ``data`` makes the loaders for a net.

    Attributes:
        source: frames to train on, to choose with and to measure on.
        others: name to frames that only train; the names are for the command line.
        crops: hand crops that frames are composed of.
        plain_crops: crops of a batch that the second look sees as they are.
        plain: balance of these, and which part of them has no label.
        plain_augment: changes to them.
        crops_per_frame: hands of each training picture that are cut out.
        sampler: mixes the sources.
        augment: changes to training pictures.
        prob_mosaic: composed pictures that show up to four frames with hands instead of one.
        num_prefetch: training batches that a thread makes ahead, the same ones; 0 for none.
        train_px: side that training frames are fitted into; None for the size that the net glances at.
    """

    source: FrameSource
    others: Mapping[str, FrameSource] = field(default_factory=dict)
    crops: Source | None = None
    plain_crops: int = 0
    plain: BalancedSampler | None = None
    plain_augment: Augment | None = None
    crops_per_frame: int = 2
    sampler: SceneSampler = field(default_factory=SceneSampler)
    augment: SceneAugment = field(default_factory=SceneAugment)
    prob_mosaic: float = 0.0
    num_prefetch: int = 0
    train_px: int | None = None

    def data(
        self,
        *,
        image_size: int,
        crop_size: int,
        batch_size: int,
        seed: int,
        small_px: int = 128,
        small_epochs: int = 0,
        near_size: int | None = None,
        num_workers: int = 0,
    ) -> SpotData:
        """Loaders for a net that glances at ``image_size``, closer at ``near_size`` and looks at ``crop_size`` pixels.

        The first ``small_epochs`` show frames of ``small_px``; ``num_workers`` processes make the batches.
        """
        return SpotData(
            source=self.source,
            others=tuple(self.others.values()),
            crops=self.crops,
            plain_crops=self.plain_crops,
            plain=self.plain,
            plain_augment=self.plain_augment,
            crops_per_frame=self.crops_per_frame,
            sampler=self.sampler,
            augment=self.augment,
            prob_mosaic=self.prob_mosaic,
            image_size=self.train_px or image_size,
            crop_size=crop_size,
            batch_size=batch_size,
            small_px=small_px,
            small_epochs=small_epochs,
            seed=seed,
            num_prefetch=self.num_prefetch,
            num_workers=num_workers,
            near_size=near_size,
        )
