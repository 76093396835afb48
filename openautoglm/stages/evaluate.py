"""Accuracy of a model or of an exported file over a split."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from torch import Tensor, nn

from openautoglm.artifacts import load_model
from openautoglm.data.base import ImageSet, Source, Split
from openautoglm.data.folder import FolderGestures
from openautoglm.data.frames import FrameSource
from openautoglm.data.hands import NO_HAND
from openautoglm.data.loader import EVAL_BATCH
from openautoglm.data.splits import align_classes, align_frames
from openautoglm.data.transforms import to_float
from openautoglm.runtime.engines import RuntimeName
from openautoglm.runtime.methods import LOOK, open_methods
from openautoglm.runtime.recognizer import Recognizer
from openautoglm.runtime.thresholds import Thresholds
from openautoglm.stages.frames import eager_engines, examine, make_recognizer
from openautoglm.types import Artifact
from openautoglm.zoo import store

Logits = NDArray[np.float32]


def predict(model: nn.Module, images: ImageSet, *, batch_size: int = EVAL_BATCH, device: str = "cpu") -> Logits:
    """Logits ``(n, k)`` of a PyTorch model over a split."""
    model = model.to(device)
    rows = []
    with torch.inference_mode():
        for start in range(0, len(images), batch_size):
            pixels = torch.from_numpy(np.array(images.images[start : start + batch_size]))
            image = pixels.to(device).permute(0, 3, 1, 2).float() / 255
            rows.append(model(image).float().cpu().numpy())
    return np.concatenate(rows)


def predict_each(
    run: Callable[[NDArray[np.float32]], Logits], images: ImageSet, *, title: str, console: Console
) -> Logits:
    """Logits ``(n, k)`` of an exported program, picture by picture.

    Args:
        run: RGB in [0, 1], ``(1, 3, h, w)``, to logits ``(k,)``.
        images: the split.
        title: of the progress bar.
        console: where to draw it.
    """
    rows = []
    for pixels in track(
        images.images, description=title, console=console, transient=True, disable=not console.is_terminal
    ):
        rows.append(run(as_image(pixels)))
    return np.stack(rows)


def as_image(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A picture ``(h, w, 3)`` as a program takes it: RGB in [0, 1], ``(1, 3, h, w)``."""
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], dtype=np.float32) / np.float32(255)


def top1(logits: Logits, images: ImageSet) -> float:
    """Share of the pictures whose largest logit is that of their label."""
    return float((logits.argmax(axis=1) == images.labels).mean())


def calibration_pictures(train: ImageSet, num_pictures: int, *, batch_size: int = 64) -> list[Tensor]:
    """Batches ``(b, 3, h, w)`` of pictures spread evenly over a training split, as they are."""
    step = max(1, len(train) // max(1, num_pictures))
    rows = np.arange(0, len(train), step)[:num_pictures]
    return [to_float(train.images[rows[start : start + batch_size]]) for start in range(0, len(rows), batch_size)]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Figures of one artifact in one runtime over one split.

    Attributes:
        artifact: what was evaluated, by its manifest's name.
        runtime: who ran it.
        data: name of the split.
        fingerprint: of its pictures and labels.
        num_samples: pictures.
        num_without_hand: of these, in which the artifact's spotter found no hand; they are named wrong.
        top1: share of them named right.
        latency_ms: median over the pictures, preparation not included.
        num_threads: of the runtime.
        recall: share named right of the hands found, class by class; None where the split has no picture.
    """

    artifact: str
    runtime: str
    data: str
    fingerprint: str
    num_samples: int
    num_without_hand: int
    top1: float
    latency_ms: float
    num_threads: int
    recall: dict[str, float | None]


def evaluate(
    *, artifact: str, runtime: str, source: Source, split: Split, num_threads: int = 1, console: Console | None = None
) -> Evaluation:
    """Run an artifact over a split.

    Args:
        artifact: released name, artifact's folder or run's folder.
        runtime: ``"executorch"``, ``"litert"``, ``"onnx"`` or ``"eager"``.
        source: where the pictures come from; its classes are matched to the artifact's by name.
        split: which of them.
        num_threads: of the runtime.
        console: where to draw the progress bar.

    Raises:
        ValueError: the artifact lacks that program, or the data has classes it does not know.
    """
    found = store.find(artifact)
    classes, size = found.config["classes"], int(found.config["image_size"])
    source.image_size = size
    _see_as(found, source)
    images = align_classes(source.load(split), classes)
    num_without_hand = sum(problem.endswith(NO_HAND) for problem in images.problems)
    run = _runner(found, runtime, num_threads)
    times_ms: list[float] = []

    def timed(image: NDArray[np.float32]) -> Logits:
        start = time.perf_counter()
        logits = run(image)
        times_ms.append(1e3 * (time.perf_counter() - start))
        return logits

    logits = predict_each(timed, images, title=f"evaluate {runtime}", console=console or Console())
    right = logits.argmax(axis=1) == images.labels
    recall = {
        name: float(right[images.labels == row].mean()) if (images.labels == row).any() else None
        for row, name in enumerate(classes)
    }
    return Evaluation(
        artifact=str(found.manifest.get("name", found.folder.name)),
        runtime=runtime,
        data=images.name,
        fingerprint=images.fingerprint,
        num_samples=len(images) + num_without_hand,
        num_without_hand=num_without_hand,
        top1=float(right.sum() / (len(images) + num_without_hand)),
        latency_ms=float(np.median(times_ms)),
        num_threads=num_threads,
        recall=recall,
    )


@dataclass(frozen=True, kw_only=True)
class FrameEvaluation:
    """Figures of one artifact in one runtime over the whole frames of one split.

    Attributes:
        artifact: what was evaluated, by its manifest's name.
        runtime: who ran it.
        data: name of the split.
        fingerprint: of its frames and boxes.
        num_samples: frames.
        top1: share of the frames whose best-scored gesture is theirs; None where no frame has one.
        hand_ap50: average precision of hands at IoU 0.5; None where no frame has all its boxes.
        map50: the same for each gesture, averaged.
        top1_gold_box: share of the hands that a look at their true box names right.
        latency_ms: median of a frame, from its pixels to its hands.
        mean_latency_ms: mean of the same.
        searched: share of the frames in which no hand was sure, so that parts of them were glanced at.
        shown_from: score from which hands are shown; None for all of them.
        shown_precision: share of these that are hands.
        shown_recall: share of the hands that are among them.
        num_threads: of the runtime.
    """

    artifact: str
    runtime: str
    data: str
    fingerprint: str
    num_samples: int
    top1: float | None
    hand_ap50: float | None
    map50: float | None
    top1_gold_box: float | None
    latency_ms: float
    mean_latency_ms: float
    searched: float
    shown_from: float | None
    shown_precision: float | None
    shown_recall: float | None
    num_threads: int


def evaluate_frames(
    *,
    artifact: str,
    runtime: RuntimeName | Literal["eager"],
    source: FrameSource,
    split: Split,
    num_threads: int = 1,
    console: Console | None = None,
) -> FrameEvaluation:
    """Recognise the whole frames of a split; arguments and errors as those of ``evaluate``."""
    found = store.find(artifact)
    classes = tuple(found.config["classes"])
    frames = align_frames(source.load_frames(split), classes)
    if runtime == "eager":
        torch.set_num_threads(num_threads)
        thresholds = Thresholds.from_config(found.config)
        recognizer = make_recognizer(eager_engines(found), classes, thresholds)
    else:
        recognizer = Recognizer.from_pretrained(artifact, runtime=runtime, num_threads=num_threads)
    figures = examine(recognizer, frames, title=f"evaluate {runtime}", console=console or Console())
    shown = figures.shown_from(recognizer.thresholds.show)
    return FrameEvaluation(
        artifact=str(found.manifest.get("name", found.folder.name)),
        runtime=runtime,
        data=frames.name,
        fingerprint=frames.fingerprint,
        num_samples=len(frames),
        top1=figures.scores.top1,
        hand_ap50=figures.scores.hand_ap50,
        map50=figures.scores.map50,
        top1_gold_box=figures.top1_gold_box,
        latency_ms=figures.latency_ms,
        mean_latency_ms=figures.mean_latency_ms,
        searched=figures.searched,
        shown_from=recognizer.thresholds.show,
        shown_precision=None if shown is None else shown.precision,
        shown_recall=None if shown is None else shown.recall,
        num_threads=num_threads,
    )


def _see_as(artifact: Artifact, source: Source) -> None:
    """Have a folder's pictures cropped as the artifact will crop them, unless somebody has said otherwise."""
    if isinstance(source, FolderGestures) and source.find_hands == "auto":
        finds = artifact.config.get("spotter") is not None
        source.find_hands = "always" if finds else "never"
        source.spotter = str(artifact.folder)


def _runner(artifact: Artifact, runtime: str, num_threads: int) -> Callable[[NDArray[np.float32]], Logits]:
    """A picture ``(1, 3, h, w)`` to logits ``(k,)``."""
    if runtime == "eager":
        model = load_model(artifact)
        torch.set_num_threads(num_threads)

        def run(image: NDArray[np.float32]) -> Logits:
            with torch.inference_mode():
                logits: Logits = model(torch.from_numpy(image))[0].numpy()
                return logits

        return run
    return open_methods(artifact, runtime, num_threads)[LOOK].run
