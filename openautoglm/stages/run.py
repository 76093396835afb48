"""A run: its folder, what all its stages share, and the loop that carries it from stage to stage."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import torch
from rich.console import Console

from openautoglm.bench.origin import collect_commit, collect_device, collect_versions
from openautoglm.bench.result import (
    DataResult,
    EpochResult,
    ModelResult,
    Results,
    StageResult,
    from_plain,
    read_results,
    to_plain,
    update_results,
    write_results,
)
from openautoglm.data.base import ImageSet, Source, Split
from openautoglm.data.frames import FrameSet, FrameSource
from openautoglm.data.mix import FrameMix
from openautoglm.data.module import GestureData
from openautoglm.data.sampler import BalancedSampler
from openautoglm.data.spot import SpotData
from openautoglm.data.transforms import Augment
from openautoglm.train import FitSettings, clean
from openautoglm.types import Artifact
from openautoglm.zoo import store

DONE = "done.json"
_SPLITS: tuple[Split, ...] = ("train", "dev", "test")


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
        return "distill" if self.frames is None else "spot"

    @property
    def image_size(self) -> int:
        """Side of the pictures that are named, in pixels."""
        return int(self.model_arguments.get("image_size", 96)) if self.frames else self.crops.image_size

    def load(self, split: Split) -> ImageSet:
        """A split, cut to a few pictures in a quick run."""
        return self.cut(self.crops.load(split))

    def load_frames(self, split: Split) -> FrameSet:
        """A split of whole frames."""
        assert self.frames is not None, "a run on crops has no frames"
        return self.frames.source.load_frames(split)

    def cut(self, found: ImageSet) -> ImageSet:
        """The set itself, or some pictures spread over it in a quick run."""
        if not self.quick:
            return found
        return found.take(range(0, len(found), max(1, len(found) // 64)))

    def data(
        self, *, batch_size: int, unlabelled_fraction: float = 0.0, small_px: int = 64, small_epochs: int = 0
    ) -> GestureData:
        """Loaders for a training."""
        return GestureData(
            source=self.crops,
            batch_size=batch_size,
            augment=self.augment,
            sampler=replace(self.sampler, unlabelled_fraction=unlabelled_fraction),
            seed=self.seed,
            small_px=small_px,
            small_epochs=small_epochs,
        )

    def scenes(self, *, batch_size: int) -> SpotData:
        """Loaders for a training on whole frames."""
        assert self.frames is not None, "a run on crops has no frames"
        glance_size = self.model_arguments.get("glance_size")
        if glance_size is None:
            raise ValueError("a net for whole frames needs model.arguments.glance_size, such as 192")
        return self.frames.data(
            image_size=int(glance_size), crop_size=self.image_size, batch_size=batch_size, seed=self.seed
        )

    def find_stage(self, stage: str) -> Artifact:
        """The artifact an earlier stage left, checked."""
        return store.find(self.stage_folder(stage))


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a stage has to say.

    Attributes:
        note: one line for people.
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


def run_stages(run: Run, stages: Mapping[str, Stage]) -> Results:
    """Carry out the stages in order; those that are done are skipped.

    Args:
        run: what they share.
        stages: name to stage, in order; a None is left out.

    Returns:
        The content of ``results.json``.
    """
    started = time.perf_counter()
    earlier_seconds = _open_results(run)
    for name, stage in stages.items():
        if stage is None:
            continue
        done = run.stage_folder(name) / DONE
        if done.exists():
            run.console.print(f"[dim]{name:<10} done before[/]")
        else:
            _carry_out(run, name, stage, done)
        seconds = earlier_seconds + time.perf_counter() - started
        update_results(run.folder, lambda results: _set(results, seconds=round(seconds, 1)))  # noqa: B023
    return update_results(run.folder, lambda results: _set(results, status="complete"))


def _carry_out(run: Run, name: str, stage: Stage, done: Path) -> None:
    """One stage, from its start to its line on the console."""
    start = time.perf_counter()
    try:
        outcome = stage(run)
    except BaseException as error:
        status = f"{name}: {type(error).__name__}: {error}"
        update_results(run.folder, lambda results: _set(results, status="failed", error=status))
        raise
    seconds = round(time.perf_counter() - start, 1)
    _record(run, name, outcome, seconds)
    done.parent.mkdir(parents=True, exist_ok=True)
    store.write_json(done, {"seconds": seconds, "note": outcome.note})
    clean(done.parent)
    reused = " [dim](reused)[/]" if outcome.reused else ""
    run.console.print(f"[bold green]✓[/] {name:<10} {seconds:6.1f} s  {outcome.note}{reused}")


def _record(run: Run, name: str, outcome: Outcome, seconds: float) -> None:
    """Enter a stage's outcome into results.json."""
    curves = run.stage_folder(name) / "curves.json"

    def change(results: Results) -> Results:
        for model in outcome.models:
            results = results.with_model(model)
        if curves.exists():
            rows = json.loads(curves.read_text(encoding="utf-8"))
            known = EpochResult.__dataclass_fields__
            results = results.with_curve(
                name, tuple(EpochResult(**{key: row[key] for key in known if key in row}) for row in rows)
            )
        results = results.with_stage(StageResult(name=name, seconds=seconds, reused=outcome.reused, note=outcome.note))
        return _set(results, **outcome.facts)

    update_results(run.folder, change)


def _set(results: Results, **values: Any) -> Results:
    """A copy with fields given as plain data or dataclasses."""
    return from_plain({**to_plain(results), **{name: to_plain(value) for name, value in values.items()}})


def _open_results(run: Run) -> float:
    """Begin results.json or go on with it; returns the seconds spent before."""
    if (run.folder / "results.json").exists():
        results = update_results(run.folder, lambda results: _set(results, status="running", error=None))
        return results.seconds or 0.0
    run.folder.mkdir(parents=True, exist_ok=True)
    accelerator = str(run.settings.trainer.get("accelerator", "auto"))
    if accelerator == "auto":
        accelerator = "gpu" if torch.cuda.is_available() else "cpu"
    load: Callable[[Split], ImageSet | FrameSet] = run.load if run.frames is None else run.load_frames
    splits = {split: load(split) for split in _SPLITS}
    problems = tuple(dict.fromkeys(problem for found in splits.values() for problem in found.problems))
    data = DataResult(
        name=run.source.name,
        fingerprint="-".join(found.fingerprint[:12] for found in splits.values()),
        classes=splits["train"].classes,
        num_train=len(splits["train"]),
        num_dev=len(splits["dev"]),
        num_test=len(splits["test"]),
        image_size=run.image_size,
        problems=problems,
    )
    results = Results(
        recipe=run.recipe,
        command=run.command,
        seed=run.seed,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        data=data,
        versions=collect_versions(),
        device=collect_device(num_threads=torch.get_num_threads(), accelerator=accelerator),
        commit=collect_commit(),
    )
    write_results(run.folder / "results.json", results)
    for problem in problems[:5]:
        run.console.print(f"[yellow]![/] {problem}")
    if len(problems) > 5:
        run.console.print(f"[yellow]![/] and {len(problems) - 5} more, all in results.json")
    return 0.0


def results_of(run: Run) -> Results:
    """What has been measured so far."""
    return read_results(run.folder)
