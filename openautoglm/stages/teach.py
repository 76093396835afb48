"""Teach: train the teacher, or take the stored one made by the same settings on the same data."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from openautoglm.artifacts import MEAN, TIMM, build_model, load_model, model_config, save_model
from openautoglm.home import cache_dir
from openautoglm.models import TeacherMean, TimmClassifier, list_architectures
from openautoglm.stages.run import Outcome, Run
from openautoglm.stages.training import accuracy_note, judge, net_config
from openautoglm.train import LitClassify, OneCycle, fit
from openautoglm.types import Artifact
from openautoglm.zoo import store


@dataclass(frozen=True, kw_only=True)
class Teach:
    """Trains a teacher on the labels.

    Attributes:
        architecture: a registered name, such as ``"openautoglm-base"``, or any of timm's.
        pretrained: start from timm's weights, which needs a network once; a registered net has none.
        epochs: passes over the training split.
        batch_size: pictures a step.
        learning_rate: at the peak of the cycle.
        weight_decay: of matrices and kernels.
        label_smoothing: share of the target spread over all classes.
        small_px: side of the pictures in the first ``small_epochs``.
        small_epochs: first epochs on shrunk pictures, for a part of the time (EfficientNetV2, arXiv 2104.00298).
        artifact: released name or folder of a trained teacher to use instead; several teach by the mean of their
            probabilities.
    """

    epochs: int
    architecture: str = "mobilenetv4_conv_small"
    pretrained: bool = False
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.0
    small_px: int = 64
    small_epochs: int = 0
    artifact: str | Sequence[str] | None = None

    def __call__(self, run: Run) -> Outcome:
        """Leave the teacher in ``teach/``."""
        folder = run.stage_folder("teach")
        if run.frames is not None and self.artifact is None:
            raise ValueError(
                "a run on whole frames trains no teacher: give one that names crops by teacher.artifact=, such as a "
                "run's distill/, or leave the stage teach out"
            )
        given = [self.artifact] if isinstance(self.artifact, str) else list(self.artifact or ())
        kept = None if given else self._stored(run)
        reused = kept is None or (kept / "manifest.json").exists()
        if reused:
            found = [store.find(place) for place in (given if kept is None else [kept])]
            _check_classes(found, run)
            _copy(found[0], folder) if len(found) == 1 else _join(found, folder)
        else:
            self._train(run, folder)
        artifact = store.find(folder)
        if kept is not None and not reused and not run.quick:
            _copy(artifact, kept)
        if run.frames is not None:
            names = ", ".join(Path(place).name for place in given)
            return Outcome(note=f"{artifact.config['architecture']} of {names} names the crops", reused=True)
        row = judge(run, load_model(artifact), name="teacher", architecture=artifact.config["architecture"])
        return Outcome(note=accuracy_note(row), models=(row,), reused=reused)

    def _train(self, run: Run, folder: Path) -> None:
        classes = run.source.class_names()
        torch.manual_seed(run.seed)
        config, model = self._build(run)
        lit = LitClassify(
            model=model.to(memory_format=torch.channels_last),
            num_classes=len(classes),
            label_smoothing=self.label_smoothing,
            optim=OneCycle(learning_rate=self.learning_rate, weight_decay=self.weight_decay),
            seed=run.seed,
        )
        data = run.data(batch_size=self.batch_size, small_px=self.small_px, small_epochs=self.small_epochs)
        fit(lit, data, folder=folder, title="teach", epochs=self.epochs, settings=run.settings)
        save_model(model, folder, config=config, facts={"stage": "teach", "settings": asdict(self)})

    def _build(self, run: Run) -> tuple[dict[str, Any], nn.Module]:
        """The teacher's config.json and the net itself."""
        classes, size = run.source.class_names(), run.image_size
        if self.architecture in list_architectures():
            if self.pretrained:
                raise ValueError(
                    f"{self.architecture} has no pretrained weights: choose a timm teacher, give teacher.artifact=, "
                    "or set teacher.pretrained=false"
                )
            config = net_config(self.architecture, {}, classes, size)
            return config, build_model(config)
        model = TimmClassifier(
            architecture=self.architecture, num_classes=len(classes), pretrained=self.pretrained, image_size=size
        )
        return model_config(TIMM + self.architecture, model.arguments, classes=classes, image_size=size), model

    def _stored(self, run: Run) -> Path:
        """Where a teacher of these settings on this data would lie."""
        key = {
            "settings": asdict(self),
            "augment": asdict(run.augment),
            "sampler": asdict(run.sampler),
            "image_size": run.image_size,
            "train": run.crops.load("train").fingerprint,
            "dev": run.crops.load("dev").fingerprint,
            "seed": run.seed,
            "trainer": {name: str(value) for name, value in sorted(run.settings.trainer.items())},
        }
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:20]
        return cache_dir() / "teachers" / digest


def _check_classes(teachers: Sequence[Artifact], run: Run) -> None:
    """Refuse a teacher that names other classes than the data."""
    for teacher in teachers:
        if tuple(teacher.config["classes"]) != run.source.class_names():
            raise ValueError(
                f"the teacher in {teacher.folder} knows {', '.join(teacher.config['classes'])}; "
                f"the data has {', '.join(run.source.class_names())}: they must be the same, in the same order"
            )


def _join(teachers: Sequence[Artifact], folder: Path) -> None:
    """Several teachers as one artifact."""
    if quantised := [str(teacher.folder) for teacher in teachers if teacher.is_quantized]:
        raise ValueError(
            f"{quantised[0]} is quantised; the mean of teachers takes float ones, such as a run's distill/"
        )
    first = teachers[0].config
    members = [teacher.config for teacher in teachers]
    config = model_config(
        MEAN, {"members": members}, classes=tuple(first["classes"]), image_size=int(first["image_size"])
    )
    model = TeacherMean(members=[load_model(teacher) for teacher in teachers])
    save_model(model, folder, config=config, facts={"stage": "teach", "num_members": len(teachers)})


def _copy(artifact: Artifact, folder: Path) -> None:
    """Copy an artifact without its programs: a teacher runs in PyTorch."""

    def write(fresh: Path) -> None:
        for name in ("config.json", "model.safetensors"):
            shutil.copyfile(artifact.folder / name, fresh / name)

    left_out = ("files", "format", "programs")
    facts = {name: value for name, value in artifact.manifest.items() if name not in left_out}
    store.build(folder, write, facts)
