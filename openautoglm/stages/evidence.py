"""What the report shows beside figures: confusion, recall, mistakes with pictures, a contact sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torchmetrics.functional.classification import multiclass_confusion_matrix

from openautoglm.bench.result import ConfusionResult, GroupResult, MistakeResult, PerClassResult
from openautoglm.data.base import ImageSet
from openautoglm.data.contact import contact_sheet
from openautoglm.stages.evaluate import Logits

FOLDER = "pictures"
MAX_MISTAKES = 24


def confusion(
    model: str, answers: NDArray[np.int64], truth: NDArray[np.int64], classes: tuple[str, ...]
) -> dict[str, Any]:
    """Confusion matrix and recall a class, as facts for results.json.

    Args:
        model: whose answers they are.
        answers: class indices, ``(n,)``.
        truth: class indices, ``(n,)``.
        classes: their names.
    """
    import torch

    matrix = multiclass_confusion_matrix(
        torch.from_numpy(answers), torch.from_numpy(np.array(truth)), len(classes)
    ).numpy()
    support = matrix.sum(axis=1)
    recall = tuple(float(matrix[row, row] / count) if count else None for row, count in enumerate(support))
    return {
        "confusion": ConfusionResult(model=model, matrix=tuple(tuple(map(int, row)) for row in matrix)),
        "per_class": PerClassResult(model=model, classes=classes, recall=recall, support=tuple(map(int, support))),
    }


def group_accuracy(groups: Mapping[str, Sequence[str]], logits: Logits, images: ImageSet) -> tuple[GroupResult, ...]:
    """Accuracy over the pictures of each group of classes."""
    right = logits.argmax(axis=1) == images.labels
    found = []
    for name, classes in groups.items():
        inside = np.isin(images.labels, [images.classes.index(label) for label in classes])
        share = float(right[inside].mean()) if inside.any() else None
        found.append(GroupResult(name=name, classes=tuple(classes), top1=share, num_samples=int(inside.sum())))
    return tuple(found)


def mistakes(run_folder: Path, logits: Logits, images: ImageSet) -> tuple[MistakeResult, ...]:
    """The pictures that were named wrong with the highest score, saved beside."""
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores = shifted / shifted.sum(axis=1, keepdims=True)
    predicted = logits.argmax(axis=1)
    wrong = np.flatnonzero(predicted != images.labels)
    worst = wrong[np.argsort(-scores[wrong, predicted[wrong]], kind="stable")][:MAX_MISTAKES]
    (run_folder / FOLDER).mkdir(exist_ok=True)
    found = []
    for number, row in enumerate(worst):
        path = Path(FOLDER) / f"mistake_{number:02d}.png"
        Image.fromarray(np.asarray(images.images[row])).save(run_folder / path)
        found.append(
            MistakeResult(
                id=images.ids[row],
                truth=images.classes[images.labels[row]],
                predicted=images.classes[predicted[row]],
                score=float(scores[row, predicted[row]]),
                image=path.as_posix(),
            )
        )
    return tuple(found)


def sheet(run_folder: Path, images: ImageSet) -> str:
    """Save a contact sheet of training pictures; returns its path inside the run folder."""
    (run_folder / FOLDER).mkdir(exist_ok=True)
    path = Path(FOLDER) / "contact_sheet.png"
    contact_sheet(images).save(run_folder / path)
    return path.as_posix()
