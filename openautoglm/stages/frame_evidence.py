"""What the report shows of whole frames beside figures: confusion, recall, mistakes with their hands drawn in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from openautoglm.bench.detection import gesture_of
from openautoglm.bench.result import MistakeResult
from openautoglm.data.frames import NO_GESTURE, FrameSet
from openautoglm.runtime.drawing import draw_hands
from openautoglm.stages.evidence import FOLDER, MAX_MISTAKES, confusion
from openautoglm.types import Hand

_NOTHING = "nothing"


def frame_evidence(model: str, run_folder: Path, found: Sequence[Sequence[Hand]], frames: FrameSet) -> dict[str, Any]:
    """Facts for results.json about the frames that are known by a gesture.

    Args:
        model: whose hands they are.
        run_folder: gets the pictures.
        found: hands of each frame, best first.
        frames: the split.
    """
    rows = [int(row) for row in np.flatnonzero(frames.frame_labels >= 0)]
    truth = [int(frames.frame_labels[row]) for row in rows]
    answers = [gesture_of(found[row]) for row in rows]
    facts: dict[str, Any] = {"mistakes": _mistakes(run_folder, rows, truth, answers, found, frames)}
    if NO_GESTURE in frames.classes:
        # where no gesture is found, that is the answer
        given = np.array([frames.classes.index(answer or NO_GESTURE) for answer in answers], np.int64)
        facts |= confusion(model, given, np.array(truth, np.int64), frames.classes)
    return facts


def _mistakes(
    run_folder: Path,
    rows: list[int],
    truth: list[int],
    answers: list[str | None],
    found: Sequence[Sequence[Hand]],
    frames: FrameSet,
) -> tuple[MistakeResult, ...]:
    """Frames that were taken for another gesture or for none, the surest first."""
    wrong = [
        (row, frames.classes[label], answer)
        for row, label, answer in zip(rows, truth, answers, strict=True)
        if answer != frames.classes[label]
    ]
    wrong.sort(key=lambda one: -max((hand.score for hand in found[one[0]] if hand.label == one[2]), default=0.0))
    (run_folder / FOLDER).mkdir(exist_ok=True)
    shown = []
    for number, (row, label, answer) in enumerate(wrong[:MAX_MISTAKES]):
        path = Path(FOLDER) / f"mistake_{number:02d}.png"
        draw_hands(np.array(frames.frame(row).image), found[row]).save(run_folder / path)
        score = max((hand.score for hand in found[row] if hand.label == answer), default=None)
        shown.append(
            MistakeResult(
                id=frames.ids[row], truth=label, predicted=answer or _NOTHING, score=score, image=path.as_posix()
            )
        )
    return tuple(shown)
