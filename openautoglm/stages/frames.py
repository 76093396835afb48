"""Figures on whole frames: what a recogniser finds and names in them, in any runtime or in eager PyTorch."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from torch import Tensor

from openautoglm.artifacts import build_model, load_model, load_qat
from openautoglm.bench.detection import DetectionScores, ShownHands, score_frames, show_from
from openautoglm.bench.result import ModelResult
from openautoglm.compress.pt2e import QATModel, convert_programs
from openautoglm.data.base import Split
from openautoglm.data.frames import FrameSet
from openautoglm.models import Exportable, Program
from openautoglm.runtime.engines import Engine, Method, Outputs
from openautoglm.runtime.methods import GLANCE, LOOK, NEAR, parts_of_look
from openautoglm.runtime.recognizer import Recognizer
from openautoglm.runtime.thresholds import Thresholds
from openautoglm.stages.run import Run
from openautoglm.types import Artifact, Hand

Floats = NDArray[np.float32]
SHOWN_FROM = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
"""Scores that ``Thresholds.show`` is chosen from."""
_DEV: Split = "dev"
_TEST: Split = "test"


class EagerEngine(Method):
    """A program in PyTorch, behind the same call as the runtimes.

    Args:
        program: what computes it, the shape of the picture and the names of the outputs.
    """

    runtime = "eager"

    def __init__(self, program: Program) -> None:
        self._module = program.module.eval()
        self.num_threads = torch.get_num_threads()
        self.input_shape = tuple(program.example[0].shape)
        self.output_names = program.outputs

    def _compute(self, image: Floats) -> Outputs:
        with torch.inference_mode():
            returned = self._module(torch.from_numpy(image))
        tensors = (returned,) if isinstance(returned, Tensor) else tuple(returned)
        return {name: tensor.numpy() for name, tensor in zip(self.output_names, tensors, strict=True)}


def make_recognizer(
    engines: Mapping[str, Engine], classes: Sequence[str], thresholds: Thresholds | None = None
) -> Recognizer:
    """A recogniser of loaded methods; default thresholds unless others are given."""
    return Recognizer(
        look=engines[LOOK],
        glance=engines.get(GLANCE),
        near=engines.get(NEAR),
        classes=classes,
        thresholds=thresholds,
        parts=parts_of_look(engines),
    )


def eager_engines(artifact: Artifact) -> dict[str, EagerEngine]:
    """The methods of a float or quantised artifact in PyTorch."""
    model = build_model(artifact.config) if artifact.is_quantized else load_model(artifact)
    assert isinstance(model, Exportable)
    programs = model.programs()
    if artifact.is_quantized:
        programs = in_integers(load_qat(artifact), programs)
    return {method: EagerEngine(program) for method, program in programs.items()}


def in_integers(qat: QATModel, programs: Mapping[str, Program]) -> dict[str, Program]:
    """The programs of a net as its quantised graph computes them."""
    modules = convert_programs(qat, programs)
    return {method: replace(program, module=modules[method]) for method, program in programs.items()}


@dataclass(frozen=True, kw_only=True)
class FrameFigures:
    """What a recogniser did on a split.

    Attributes:
        hands: of each frame.
        scores: against what is there.
        top1_gold_box: share of the hands of known gesture that are named right by a look at their true box.
        latency_ms: median of a frame, from its pixels to its hands.
        mean_latency_ms: mean of the same; a frame that is searched takes longer than most.
        searched: share of the frames whose parts were glanced at.
        shown: what is shown from each of ``SHOWN_FROM`` on, and from the recogniser's own score.
    """

    hands: tuple[tuple[Hand, ...], ...]
    scores: DetectionScores
    top1_gold_box: float | None
    latency_ms: float
    mean_latency_ms: float
    searched: float
    shown: tuple[ShownHands, ...] = ()

    def in_row(self) -> dict[str, Any]:
        """Fields of a row of the table."""
        scores = self.scores
        return {
            "top1": scores.top1,
            "hand_ap50": scores.hand_ap50,
            "map50": scores.map50,
            "top1_gold_box": self.top1_gold_box,
        }

    def shown_from(self, score: float | None) -> ShownHands | None:
        """What is shown from a score on, all where it is None; None where the split says nothing about it."""
        return next((one for one in self.shown if one.score == (score or 0.0)), None)

    @property
    def names(self) -> tuple[str, ...]:
        """The best hand's label in each frame, empty where none was found."""
        return tuple(hands[0].label if hands else "" for hands in self.hands)


def examine(recognizer: Recognizer, frames: FrameSet, *, title: str, console: Console) -> FrameFigures:
    """Recognise every frame of a split.

    Args:
        recognizer: of any runtime.
        frames: the split, labelled by the recogniser's classes.
        title: of the progress bar.
        console: where to draw it.
    """
    found: list[tuple[Hand, ...]] = []
    right, times_ms = [], []
    searched_before = recognizer.stats.num_searched
    rows = track(
        range(len(frames)), description=title, console=console, transient=True, disable=not console.is_terminal
    )
    for row in rows:
        frame = frames.frame(row)
        start = time.perf_counter()
        found.append(tuple(recognizer.recognize(frame.image)))
        times_ms.append(1e3 * (time.perf_counter() - start))
        for box, label in zip(frame.boxes_px, frame.labels, strict=True):
            if label >= 0:
                right.append(recognizer.name_box(frame.image, box).label == frames.classes[label])
    return FrameFigures(
        hands=tuple(found),
        scores=score_frames(found, frames),
        top1_gold_box=float(np.mean(right)) if right else None,
        latency_ms=float(np.median(times_ms)),
        mean_latency_ms=float(np.mean(times_ms)),
        searched=(recognizer.stats.num_searched - searched_before) / max(1, len(frames)),
        shown=show_from(found, frames, sorted({*SHOWN_FROM, recognizer.thresholds.show or 0.0})),
    )


def judge_frames(
    run: Run, programs: Mapping[str, Program], *, name: str, architecture: str, num_params: int
) -> ModelResult:
    """Row of the table for a model in eager PyTorch: dev and test, whole frames.

    Args:
        run: whose.
        programs: method to what computes it.
        name: of the row.
        architecture: name of the architecture.
        num_params: of the model.
    """
    engines = {method: EagerEngine(program) for method, program in programs.items()}
    recognizer = make_recognizer(engines, run.source.class_names())
    dev, test = (
        examine(recognizer, run.load_frames(split), title=f"{name} on {split}", console=run.console)
        for split in (_DEV, _TEST)
    )
    return ModelResult(
        name=name,
        kind="float",
        runtime="eager",
        architecture=architecture,
        top1_dev=dev.scores.top1,
        num_params=num_params,
        **test.in_row(),
    )


def frames_note(row: ModelResult) -> str:
    """The figures of a row in a few words."""
    shares = {"dev": row.top1_dev, "test": row.top1, "hand AP50": row.hand_ap50}
    known = (f"{name} {100 * share:.2f} %" for name, share in shares.items() if share is not None)
    return f"{row.architecture}: " + ", ".join(known)
