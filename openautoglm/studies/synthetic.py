"""Is the synthetic task a toy, and do its hands look like hands?

Three answers: what a logistic regression on 32 x 32 pixels gets; what a classifier that has only seen photographs gets
on rendered hands; and what the student gets when the labels of its training pictures are shuffled.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console

from openautoglm.artifacts import load_model
from openautoglm.bench.origin import collect_commit, collect_device, collect_versions
from openautoglm.bench.result import to_plain
from openautoglm.data import GestureData, SyntheticGestures
from openautoglm.data.base import ImageSet, Split
from openautoglm.data.images import pad_square
from openautoglm.models import create_model
from openautoglm.stages.evaluate import predict, top1
from openautoglm.train import FitSettings, LitClassify, OneCycle, fit
from openautoglm.types import MissingExtraError
from openautoglm.zoo import store


@dataclass(frozen=True, kw_only=True)
class SyntheticStudy:
    """The three answers.

    Attributes:
        data: the default data set.
        photo_classifier: released name or folder of a model trained on photographs; None leaves that answer out.
        num_unoccluded: rendered pictures that it is asked about.
        model: architecture that is trained on shuffled labels.
        epochs: of that training.
        seed: of everything random.
    """

    data: SyntheticGestures
    photo_classifier: str | None = None
    num_unoccluded: int = 2000
    model: str = "openautoglm-small"
    epochs: int = 3
    seed: int = 0

    def __call__(self, folder: Path, *, settings: FitSettings) -> dict[str, Any]:
        """Measure; logs of the training go to ``folder``."""
        train, test = self.data.load("train"), self.data.load("test")
        chance = float(np.bincount(test.labels).max() / len(test))
        return {
            "study": "synthetic",
            "measured": True,
            "data": {
                "name": test.name,
                "fingerprint": test.fingerprint,
                "num_train": len(train),
                "num_test": len(test),
            },
            "classes": list(test.classes),
            "chance": chance,
            "logistic_regression_top1": logistic_regression(train, test, console=settings.console),
            "photo_classifier": None if self.photo_classifier is None else self._transfer(),
            "shuffled_labels_top1": self._shuffled(folder, test, settings),
            "settings": {name: getattr(self, name) for name in ("num_unoccluded", "model", "epochs", "seed")},
            "versions": collect_versions(),
            "device": to_plain(collect_device(num_threads=torch.get_num_threads(), accelerator="cpu")),
            "commit": collect_commit(),
        }

    def _transfer(self) -> dict[str, Any]:
        """Accuracy of the photographs' classifier on rendered hands of the gestures that both know."""
        assert self.photo_classifier is not None
        artifact = store.find(self.photo_classifier)
        known = list(artifact.config["classes"])
        shared = [name for name in self.data.class_names() if name in known]
        if not shared:
            raise ValueError(
                f"{self.photo_classifier} knows none of the rendered gestures; it knows {', '.join(known)}"
            )
        source = SyntheticGestures(
            image_size=160, num_train=len(shared), num_dev=len(shared), num_test=self.num_unoccluded,
            seed=self.data.seed, root=self.data.root, classes=shared, occlusion=False,
        )  # fmt: skip
        found = source.load("test")
        crops = tight_crops(found, int(artifact.config["image_size"]))
        renumber = np.array([known.index(name) for name in shared], np.int64)
        crops = replace(crops, labels=renumber[crops.labels], classes=tuple(known))
        logits = predict(load_model(artifact), crops)
        right = logits.argmax(axis=1) == crops.labels
        return {
            "artifact": artifact.manifest.get("name"),
            "num_samples": len(crops),
            "num_classes_to_choose_from": len(known),
            "top1": float(right.mean()),
            "recall": {name: float(right[crops.labels == known.index(name)].mean()) for name in shared},
        }

    def _shuffled(self, folder: Path, test: ImageSet, settings: FitSettings) -> float:
        """Test accuracy of the student after training on shuffled labels."""
        torch.manual_seed(self.seed)
        size, num_classes = self.data.image_size, len(test.classes)
        model = create_model(self.model, num_classes=num_classes, image_size=size)
        model = model.to(memory_format=torch.channels_last)
        lit = LitClassify(
            model=model,
            num_classes=num_classes,
            label_smoothing=0.1,
            optim=OneCycle(learning_rate=4e-3),
            seed=self.seed,
        )
        data = GestureData(source=_Shuffled(self.data, self.seed), seed=self.seed)
        fit(lit, data, folder=folder, title="shuffled", epochs=self.epochs, settings=settings)
        return top1(predict(model.eval(), test), test)


def logistic_regression(train: ImageSet, test: ImageSet, *, console: Console, side: int = 32) -> float:
    """Test accuracy of a multinomial logistic regression on small pictures.

    Args:
        train: pictures to fit.
        test: pictures to judge.
        console: where to say what is going on.
        side: of the small pictures in pixels.
    """
    try:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
    except ImportError as error:
        raise MissingExtraError("scikit-learn", "dev") from error
    with console.status("logistic regression on small pictures"):
        classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200, C=1e-3))
        classifier.fit(_small(train, side), train.labels)
        return float(classifier.score(_small(test, side), test.labels))


def tight_crops(images: ImageSet, image_size: int) -> ImageSet:
    """Each hand cut out by its box and padded to a square, as the crops of photographs are."""
    assert images.boxes_px is not None
    crops = []
    for pixels, box in zip(images.images, images.boxes_px, strict=True):
        left, top, right, bottom = (round(float(value)) for value in box)
        picture = Image.fromarray(np.asarray(pixels)).crop((left, top, max(right, left + 2), max(bottom, top + 2)))
        crops.append(pad_square(picture, image_size))
    return replace(images, images=np.stack(crops), landmarks_px=None, boxes_px=None)


def _small(images: ImageSet, side: int) -> NDArray[np.float32]:
    rows = [
        np.asarray(Image.fromarray(np.asarray(pixels)).resize((side, side), Image.Resampling.BOX)).reshape(-1)
        for pixels in images.images
    ]
    return np.stack(rows).astype(np.float32) / np.float32(255)


class _Shuffled:
    """A source whose training labels are dealt out anew; dev stays true."""

    def __init__(self, source: SyntheticGestures, seed: int) -> None:
        self.name, self.image_size, self.mirror = "shuffled", source.image_size, source.mirror
        self._source, self._seed = source, seed

    def class_names(self) -> tuple[str, ...]:
        return self._source.class_names()

    def load(self, split: Split) -> ImageSet:
        found = self._source.load(split)
        if split != "train":
            return found
        order = np.random.default_rng(self._seed).permutation(len(found))
        return replace(found, labels=found.labels[order], fingerprint=f"{found.fingerprint}-shuffled-{self._seed}")
