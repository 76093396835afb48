"""Finetune: a released net learns a person's own gestures, and says how sure it can be of them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.markup import escape
from torch import nn

from openautoglm.artifacts import save_model
from openautoglm.bench.result import EstimateResult, ModelResult
from openautoglm.data.base import ImageSet
from openautoglm.data.groups import find_groups
from openautoglm.data.pool import GivenPictures
from openautoglm.data.transforms import to_float
from openautoglm.losses import KD, Loss
from openautoglm.stages import evidence
from openautoglm.stages.crossval import Unseen, cross_validate, estimate
from openautoglm.stages.evaluate import predict
from openautoglm.stages.run import Outcome, Run
from openautoglm.stages.training import accuracy_note, fresh_student, judge, round_to_half, student_config
from openautoglm.train import LitClassify, LitDistill, LitTask, OneCycle, clean, fit
from openautoglm.train.callbacks import FreezeBatchNorm
from openautoglm.train.head import HasFeatures, fit_head
from openautoglm.zoo import store
from openautoglm.zoo.listing import list_models

_FEATURE_BATCH = 128
_EPOCHS, _LEAST_SHOWN, _MOST_SHOWN = 12, 6_400, 40_000
_MANY = 1_000
"""Pictures from which on three folds are enough to tell what to expect."""
_OF_THE_RUN = frozenset({"num_classes", "image_size", "glance_size", "near_size"})
"""Arguments of a net that follow from what a run trains on."""


@dataclass(frozen=True, kw_only=True)
class Finetune:
    """A new classifier on the frozen net first, then all of it at a low learning rate.

    A net that is not the best of the released ones learns beside the best, which learns the pictures first.
    BatchNorm keeps the statistics of the large data set that the net comes from: those of a few pictures are worse.
    Where no pictures are held out, folds of them tell what to expect, and the net that leaves is trained on all.

    Attributes:
        losses: name to distillation loss, beside a teacher.
        teacher: released name or folder; ``"auto"`` takes the released net that names most right, None or the
            student itself none.
        epochs: passes over the training pictures; None chooses them by their number: 12, but so many that no fewer
            than 6,400 and no more than 40,000 pictures are shown.
        at_least: pictures an epoch; fewer are shown again, each time changed anew.
        batch_size: pictures a step.
        learning_rate: at the peak of the cycle.
        weight_decay: of matrices and kernels.
        label_smoothing: share of the target spread over all classes.
        copies: changed copies of each picture that the new classifier learns from, fewer of many pictures.
        penalty: of the new classifier's weights.
        num_folds: trainings of the cross-validation, where nothing is held out; 0 expects nothing and rejects nothing,
            None takes 5, or 3 of a thousand pictures and more.
        keep: share of the right answers that the threshold of rejection must keep.
    """

    losses: Mapping[str, Loss] = field(default_factory=lambda: {"kd": KD()})
    teacher: str | None = "auto"
    epochs: int | None = None
    at_least: int = 1600
    batch_size: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    copies: int = 8
    penalty: float = 0.01
    num_folds: int | None = None
    keep: float = 0.95

    def __call__(self, run: Run) -> Outcome:
        """Leave the net in ``finetune/``, with temperature and threshold in its config."""
        if run.init is None:
            raise ValueError("fine-tuning starts from a trained net: give init=, such as init=openautoglm-small")
        folder = run.stage_folder("finetune")
        folder.mkdir(parents=True, exist_ok=True)
        pictures = run.crops.load("train")
        _say_what_is_assumed(run)
        dev = run.load("dev") if run.holds_out("dev") else None
        unseen = self._cross_validate(run, pictures, folder / "folds") if dev is None else None
        model, teacher = self._adapt(run, pictures, dev, folder, "finetune")
        if teacher is not None:
            save_model(teacher, run.stage_folder("teach"), config=student_config(self._teachers(run)))
        if dev is not None:
            groups = find_groups(dev.ids, dev.labels)
            unseen = Unseen(pictures=dev, logits=predict(model, dev), groups=groups, num_folds=0)
        found = estimate(unseen, keep=self.keep) if unseen is not None else None
        config = student_config(run)
        if found is not None:
            config |= {"temperature": found.temperature, "thresholds": {"reject": found.reject_below}}
        settings = {**asdict(self), "losses": {name: vars(loss) for name, loss in self.losses.items()}}
        save_model(model, folder, config=config, facts={"stage": "finetune", "settings": settings})
        row = _row(run, model, found)
        facts: dict[str, Any] = {} if found is None else {"estimate": found}
        if unseen is not None and found is not None and not run.holds_out("test"):
            answers, truth = unseen.logits.argmax(axis=1), unseen.pictures
            facts |= evidence.confusion("cross-validated", answers, truth.labels, truth.classes)
            facts["mistakes"] = evidence.mistakes(run.folder, unseen.logits / found.temperature, truth)
        return Outcome(note=_note(row, found), models=(row,), facts=facts)

    def _cross_validate(self, run: Run, pictures: ImageSet, folder: Path) -> Unseen | None:
        num_folds = self.num_folds if self.num_folds is not None else 3 if len(pictures) >= _MANY else 5
        if not num_folds:
            return None

        def train(inside: ImageSet, outside: ImageSet, number: int) -> nn.Module:
            place = folder / f"fold_{number}"
            model, _ = self._adapt(run, inside, outside, place, f"fold {number + 1}")
            shutil.rmtree(place)
            return model

        return cross_validate(pictures, train, num_folds=num_folds, seed=run.seed, folder=folder)

    def _adapt(
        self, run: Run, pictures: ImageSet, held: ImageSet | None, folder: Path, title: str
    ) -> tuple[nn.Module, nn.Module | None]:
        """The released net, fitted to these pictures, and its teacher, if it has one."""
        teaching, teacher = self._teachers(run), None
        if teaching is not run:
            teacher = self._fit(teaching, pictures, held, folder / "teacher", f"{title}, teacher", None)
        return self._fit(run, pictures, held, folder, title, teacher), teacher

    def _teachers(self, run: Run) -> Run:
        """The same run with the teacher in the student's place; the run itself where there is none."""
        name = _best_released() if self.teacher == "auto" else self.teacher
        if name is None or name == run.init:
            return run
        config = store.find(name).config
        if config["architecture"] == run.model:
            return run
        # of a pruned net, too; its glance, if it has one, teaches nothing here
        arguments = {key: value for key, value in config["arguments"].items() if key not in _OF_THE_RUN}
        return replace(run, model=config["architecture"], model_arguments=arguments, init=name)

    def _fit(
        self,
        run: Run,
        pictures: ImageSet,
        held: ImageSet | None,
        folder: Path,
        title: str,
        teacher: nn.Module | None,
    ) -> nn.Module:
        model = fresh_student(run)
        self._start_classifier(run, model, pictures)
        source = GivenPictures(
            splits={"train": run.cut(pictures), "dev": held if held is not None else pictures},
            mirror=run.source.mirror,
            name=run.source.name,
        )
        model = model.train().to(memory_format=torch.channels_last)
        num_classes, smoothing = len(pictures.classes), self.label_smoothing
        optim = OneCycle(learning_rate=self.learning_rate, weight_decay=self.weight_decay)
        lit: LitTask
        if teacher is None:
            lit = LitClassify(
                model=model, num_classes=num_classes, label_smoothing=smoothing, optim=optim, seed=run.seed
            )
        else:
            lit = LitDistill(
                model=model,
                teacher=teacher,
                num_classes=num_classes,
                losses=self.losses,
                label_smoothing=smoothing,
                optim=optim,
                seed=run.seed,
            )
        fit(
            lit,
            run.data(source=source, batch_size=self.batch_size, at_least=self.at_least),
            folder=folder,
            title=title,
            epochs=self._num_epochs(len(pictures)),
            settings=run.settings if held is not None else run.settings.without_dev(),
            keep_best=False,  # a handful of pictures chooses by chance
            callbacks=[FreezeBatchNorm(after=0.0)],
        )
        clean(folder)
        round_to_half(model)
        return model.eval()

    def _num_epochs(self, num_pictures: int) -> int:
        if self.epochs is not None:
            return self.epochs
        shown = min(max(_EPOCHS * num_pictures, _LEAST_SHOWN), _MOST_SHOWN)
        return max(1, round(shown / max(num_pictures, self.at_least)))

    def _start_classifier(self, run: Run, model: nn.Module, pictures: ImageSet) -> None:
        """Logistic regression on what the net sees in the pictures and in changed copies of them."""
        if not isinstance(model, HasFeatures):
            raise ValueError(f"{run.model} has no features to fit a classifier on: choose one of the openautoglm nets")
        pictures = run.cut(pictures)
        copies = max(1, min(self.copies, self.at_least // len(pictures)))
        parts = [_features(model, to_float(pictures.images))]
        index = np.arange(len(pictures))
        for copy in range(copies):
            changed = run.augment(
                pictures.images,
                index=index,
                draw=np.zeros_like(index),
                seed=run.seed,
                epoch=copy,
                mirror=run.source.mirror,
                pool=pictures.images,
            )
            parts.append(_features(model, changed))
        labels = torch.from_numpy(np.tile(pictures.labels, copies + 1))
        weight, bias = fit_head(torch.cat(parts), labels, num_classes=len(pictures.classes), penalty=self.penalty)
        with torch.no_grad():
            model.classifier.weight.copy_(weight)
            model.classifier.bias.copy_(bias)


def _best_released() -> str | None:
    """The net of crops that named most pictures of unknown people right; a larger one that did not teaches nothing."""
    figures = {model.name: model.top1 for model in list_models() if model.task == "classify" and model.top1 is not None}
    return max(figures, key=lambda name: figures[name], default=None)


def _features(model: HasFeatures, images: torch.Tensor) -> torch.Tensor:
    assert isinstance(model, nn.Module)
    model.eval()
    with torch.no_grad():
        starts = range(0, len(images), _FEATURE_BATCH)
        return torch.cat([model.features(images[start : start + _FEATURE_BATCH]) for start in starts])


def _row(run: Run, model: nn.Module, found: EstimateResult | None) -> ModelResult:
    """The fine-tuned net in the table: measured on test, or as it was found to be on what it did not see."""
    if run.holds_out("test") or found is None:
        return judge(run, model, name="student fine-tuned", architecture=run.model)
    return ModelResult(
        name="student, cross-validated" if found.num_folds else "student fine-tuned",
        architecture=run.model,
        top1=found.top1,
        num_params=sum(parameter.numel() for parameter in model.parameters()),
    )


def _say_what_is_assumed(run: Run) -> None:
    """Whether pictures are mirrored, and why."""
    said = getattr(run.source, "mirror_note", None)
    if said:
        run.console.print(f"[dim]{escape(said)}[/]")


def _note(row: ModelResult, found: EstimateResult | None) -> str:
    """Accuracy with its interval."""
    if found is None or not found.num_folds or found.ci95 is None:
        return accuracy_note(row)
    low, high = found.ci95
    apart = f", {found.num_groups} groups by {found.grouped_by}" if found.grouped_by else ""
    return (
        f"expect {100 * found.top1:.1f} % of new pictures right ({100 * low:.1f} to {100 * high:.1f} %), "
        f"{found.num_folds} folds of {found.num_samples} pictures{apart}"
    )
