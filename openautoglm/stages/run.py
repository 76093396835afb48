"""A run: its folder, what all its stages share, and the loop that carries it from stage to stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console

from openautoglm.bench.result import (
    ModelResult,
    Results,
    read_results,
)
from openautoglm.data.base import ImageSet, Source, Split
from openautoglm.data.frames import FrameSet, FrameSource
from openautoglm.data.loader import Taught
from openautoglm.data.mix import FrameMix
from openautoglm.data.module import GestureData
from openautoglm.data.sampler import BalancedSampler
from openautoglm.data.splits import judged_splits, known_classes
from openautoglm.data.spot import SpotData
from openautoglm.data.steps import can_fork
from openautoglm.data.transforms import Augment
from openautoglm.machine import num_cores
from openautoglm.train import FitSettings
from openautoglm.types import Artifact
from openautoglm.zoo import store

_STUDENTS = ("finetune", "distill", "alone")
"""Stages that leave a float student, the one to go on with first."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What the stages of one run share.

    Attributes:
        folder: ``runs/<recipe>/<time>``.
        recipe: name of the recipe.
        command: as typed, for the report.
        seed: of everything random.
        source: where pictures come from; of a run on whole frames, where these come from.
        frames: what a run on whole frames trains on; None for a run on crops.
        model: name of the student's architecture.
        model_arguments: its arguments besides classes and input size.
        init: released name or folder whose weights the student starts from.
        augment: changes to training pictures.
        sampler: order and balance of the classes.
        settings: trainer, logger and console.
        num_workers: processes that make training batches; None for as many as pay, see ``batch_workers``.
    """

    folder: Path
    recipe: str
    command: str
    seed: int
    source: Source | FrameSource
    model: str
    model_arguments: Mapping[str, Any] = field(default_factory=dict)
    init: str | None = None
    frames: FrameMix | None = None
    augment: Augment = field(default_factory=Augment)
    sampler: BalancedSampler = field(default_factory=BalancedSampler)
    settings: FitSettings = field(default_factory=FitSettings)
    num_workers: int | None = None

    @property
    def batch_workers(self) -> int:
        """Processes that make training batches: all cores but one beside a GPU, none where the cores train."""
        if self.num_workers is not None:
            return self.num_workers
        return max(0, num_cores() - 1) if self.settings.on_gpu and can_fork() else 0

    @property
    def console(self) -> Console:
        """Where stages print."""
        return self.settings.console

    @property
    def quick(self) -> bool:
        """Whether one batch of everything is enough (``trainer.fast_dev_run``)."""
        return bool(self.settings.trainer.get("fast_dev_run", False))

    @property
    def artifact(self) -> Path:
        """Folder of the result."""
        return self.folder / "artifact"

    def stage_folder(self, stage: str) -> Path:
        """Folder of a stage."""
        return self.folder / stage

    @property
    def crops(self) -> Source:
        """Where the pictures of a run on crops come from."""
        if not isinstance(self.source, Source):
            raise ValueError(
                f"{self.source.name} holds whole frames, and this stage trains on crops of hands: choose "
                "recipe=spot_int8 for frames, or data with a picture a hand"
            )
        return self.source

    @property
    def student_stage(self) -> str:
        """The stage that leaves the float student."""
        if self.frames is not None:
            return "spot"
        left = [stage for stage in _STUDENTS if self.stage_folder(stage).exists()]
        return left[0] if left else "distill"

    def find_init(self) -> Artifact:
        """The float artifact that ``init`` names."""
        assert self.init is not None, "nothing to start from was named"
        found = store.find(self.init)
        if found.is_quantized:
            raise ValueError(
                f"init={self.init} is quantised; a training starts from float weights, such as a run's distill/"
            )
        return found

    def find_student(self) -> Artifact:
        """The float student that a stage left, or that of ``init`` where none was to be trained."""
        if self.init is None or self.stage_folder(self.student_stage).exists():
            return self.find_stage(self.student_stage)
        found = self.find_init()
        for name, has, wanted in (
            ("architecture", found.config["architecture"], self.model),
            ("classes", tuple(found.config["classes"]), self.source.class_names()),
            ("image_size", found.config["image_size"], self.image_size),
        ):
            if has != wanted:
                raise ValueError(f"init={self.init} has {name} {has}, this run {wanted}: they must be the same")
        return found

    @property
    def image_size(self) -> int:
        """Side of the pictures that are named, in pixels."""
        return int(self.model_arguments.get("image_size", 96)) if self.frames else self.crops.image_size

    def load(self, split: Split) -> ImageSet:
        """A split, cut to a few pictures in a quick run."""
        return self.cut(self.crops.load(split))

    def load_held_out(self) -> dict[str, ImageSet]:
        """All crops that no stage trains on, by split: test, dev and, where the data has one, holdout.

        Of a run on frames those of the crops beside them.
        """
        source = self.crops if self.frames is None else self.frames.crops
        assert source is not None, "a run on frames alone has no crops"
        classes = self.source.class_names()
        return {split: known_classes(self.cut(images), classes) for split, images in judged_splits(source).items()}

    def load_frames(self, split: Split) -> FrameSet:
        """A split of whole frames."""
        assert self.frames is not None, "a run on crops has no frames"
        return self.frames.source.load_frames(split)

    def cut(self, found: ImageSet) -> ImageSet:
        """The set itself, or some pictures spread over it in a quick run."""
        if not self.quick:
            return found
        return found.take(range(0, len(found), max(1, len(found) // 64)))

    def holds_out(self, split: Split) -> bool:
        """Whether a split holds pictures that were not trained on: a person's few pictures may all be needed."""
        holds_out = getattr(self.source, "holds_out", None)
        return holds_out is None or bool(holds_out(split))

    def data(
        self,
        *,
        batch_size: int,
        source: Source | None = None,
        unlabelled_fraction: float = 0.0,
        small_px: int = 64,
        small_epochs: int = 0,
        at_least: int = 0,
        taught: Taught | None = None,
    ) -> GestureData:
        """Loaders for a training on the run's pictures or on a part of them; an epoch has ``at_least`` so many."""
        source = source or self.crops
        few = at_least if at_least and len(source.load("train")) < at_least else None
        return GestureData(
            source=source,
            batch_size=batch_size,
            augment=self.augment,
            sampler=replace(
                self.sampler, unlabelled_fraction=unlabelled_fraction, num_samples=few or self.sampler.num_samples
            ),
            seed=self.seed,
            small_px=small_px,
            small_epochs=small_epochs,
            num_workers=self.batch_workers,
            taught=taught,
        )

    def scenes(self, *, batch_size: int, small_px: int = 128, small_epochs: int = 0) -> SpotData:
        """Loaders for a training on whole frames."""
        assert self.frames is not None, "a run on crops has no frames"
        glance_size = self.model_arguments.get("glance_size")
        if glance_size is None:
            raise ValueError("a net for whole frames needs model.arguments.glance_size, such as 192")
        return self.frames.data(
            image_size=int(glance_size),
            crop_size=self.image_size,
            batch_size=batch_size,
            small_px=small_px,
            small_epochs=small_epochs,
            seed=self.seed,
            near_size=self.model_arguments.get("near_size"),
            num_workers=self.batch_workers,
        )

    def find_stage(self, stage: str) -> Artifact:
        """The artifact an earlier stage left, checked."""
        return store.find(self.stage_folder(stage))


STRAYS = "(differs from eager)"
"""Of a file, in a note: red on the console."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a stage has to say.

    Attributes:
        note: one line for people, without markup.
        models: rows of the table.
        reused: whether the work had been done before this run.
        facts: further fields of results.json, by name.
    """

    note: str
    models: tuple[ModelResult, ...] = ()
    reused: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)


class Stage(Protocol):
    """A step of a recipe: reads artifacts of earlier stages, leaves one in its own folder."""

    def __call__(self, run: Run) -> Outcome:
        """Do the work, or go on with it."""
        ...


def results_of(run: Run) -> Results:
    """What has been measured so far."""
    return read_results(run.folder)
