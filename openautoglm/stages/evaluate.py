"""Accuracy of a model or of an exported file over a split."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from torch import nn

from openautoglm.api import load_model
from openautoglm.data.base import ImageSet, Source, Split
from openautoglm.data.splits import align_classes
from openautoglm.runtime.engines import SUFFIXES, open_engine
from openautoglm.types import Artifact
from openautoglm.zoo import store

Logits = NDArray[np.float32]


def predict(model: nn.Module, images: ImageSet, *, batch_size: int = 128, device: str = "cpu") -> Logits:
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
        image = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], dtype=np.float32) / np.float32(255)
        rows.append(run(image))
    return np.stack(rows)


def top1(logits: Logits, images: ImageSet) -> float:
    """Share of the pictures whose largest logit is that of their label."""
    return float((logits.argmax(axis=1) == images.labels).mean())


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Figures of one artifact in one runtime over one split.

    Attributes:
        artifact: what was evaluated, by its manifest's name.
        runtime: who ran it.
        data: name of the split.
        fingerprint: of its pictures and labels.
        num_samples: pictures.
        top1: share of them named right.
        latency_ms: median over the pictures, preparation not included.
        num_threads: of the runtime.
        recall: share named right, class by class; None where the split has no picture.
    """

    artifact: str
    runtime: str
    data: str
    fingerprint: str
    num_samples: int
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
    images = align_classes(source.load(split), classes)
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
        num_samples=len(images),
        top1=float(right.mean()),
        latency_ms=float(np.median(times_ms)),
        num_threads=num_threads,
        recall=recall,
    )


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
    path = artifact.program(SUFFIXES[runtime])
    if not path.exists():
        raise ValueError(f"{artifact.folder} has no program for {runtime}; export it first, or use runtime=eager")
    return open_engine(runtime, path, num_threads=num_threads).run
