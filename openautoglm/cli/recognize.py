"""``python -m openautoglm recognize``: every frame of a source through a Recognizer; lines, JSON, drawn boxes."""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from openautoglm.cli.errors import INTERRUPTED, OK
from openautoglm.cli.sources import CAMERA, Pictures, Source, open_source
from openautoglm.progress import progress_bar
from openautoglm.runtime.drawing import draw_hands
from openautoglm.runtime.engines import RuntimeName
from openautoglm.runtime.recognizer import Recognizer
from openautoglm.runtime.video import Camera, Problem, SourceFrame
from openautoglm.types import Hand
from openautoglm.zoo.store import write_json

_DRAWN = (".jpg", ".jpeg", ".png")
"""Suffixes that a drawn picture keeps; others become JPEG."""


@dataclass(frozen=True, kw_only=True)
class Recognition:
    """What to recognise, with what, and where the results go.

    Attributes:
        source: path of a picture, a folder or a video, or ``camera:0``.
        model: released name, artifact's folder or run's folder.
        runtime: who runs it.
        num_threads: of the runtime.
        min_score: of a hand that is told; None leaves it to the model.
        search: whether parts of a frame are glanced at where no hand is sure.
        json: file for the hands of every frame; None writes none.
        boxes: folder for the frames with their hands drawn in; None draws none.
    """

    source: str
    model: str
    runtime: RuntimeName
    num_threads: int
    min_score: float | None
    search: bool
    json: Path | None
    boxes: Path | None


@dataclass
class _Findings:
    """What has been seen so far."""

    frames: list[dict[str, Any]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def recognize(wanted: Recognition) -> int:
    """Recognise a source and return the exit code; Ctrl-C ends it and keeps what was found until then."""
    if wanted.json is not None and not wanted.json.parent.is_dir():
        raise ValueError(f"--json {wanted.json}: there is no folder {wanted.json.parent}; make it first")
    source = open_source(wanted.source)
    if wanted.boxes is not None and isinstance(source, Pictures):
        _refuse_own_folder(Path(wanted.source).expanduser(), wanted.boxes)
    recognizer = Recognizer.from_pretrained(
        wanted.model, runtime=wanted.runtime, num_threads=wanted.num_threads, search=wanted.search
    )
    findings = _Findings()
    code = OK
    try:
        _run(source, recognizer, wanted, findings)
    except KeyboardInterrupt:
        code = OK if isinstance(source, Camera) else INTERRUPTED  # a camera has no other end
    finally:
        if wanted.json is not None:
            write_json(wanted.json, _plain(wanted, recognizer, findings))
    if code == OK and not findings.frames:
        reason = f": {findings.problems[0].reason}" if findings.problems else ""
        raise ValueError(f"no frame of {wanted.source} could be read{reason}")
    _say(("stopped after " if code == INTERRUPTED else "") + _summary(recognizer, findings))
    return code


def _run(source: Source, recognizer: Recognizer, wanted: Recognition, findings: _Findings) -> None:
    lines = Console(soft_wrap=True, highlight=False, markup=False)
    bar = progress_bar(console=lines if lines.is_terminal else None)
    with bar:
        task = bar.add_task("recognize", total=source.num_frames)
        for item in source:
            bar.advance(task)
            if isinstance(item, Problem):
                findings.problems.append(item)
                _say(f"{item.name}: {item.reason}")
                continue
            start = time.perf_counter()
            hands = recognizer.shown(recognizer.recognize(item.pixels), min_score=wanted.min_score)
            latency_ms = 1e3 * (time.perf_counter() - start)
            findings.frames.append(_record(item, hands, latency_ms))
            if hands:
                lines.print(f"{item.name}  {', '.join(_in_words(hand) for hand in hands)}  {latency_ms:.1f} ms")
            if wanted.boxes is not None:
                _draw(wanted.boxes / item.name, item, hands)


def _refuse_own_folder(source: Path, boxes: Path) -> None:
    """Drawn pictures must neither replace those they were made of nor be taken for them next time."""
    here, there = source.resolve(), boxes.resolve()
    if there.is_relative_to(here) if here.is_dir() else there == here.parent:
        raise ValueError(f"--show-boxes {boxes} is where the pictures come from; give another folder")


def _draw(target: Path, frame: SourceFrame, hands: list[Hand]) -> None:
    if target.suffix.lower() not in _DRAWN:
        target = target.with_name(f"{target.name}.jpg")
    target.parent.mkdir(parents=True, exist_ok=True)
    draw_hands(frame.pixels, hands).save(target)


def _in_words(hand: Hand) -> str:
    box = " ".join(f"{edge:.0f}" for edge in hand.box_px)
    return f"{hand.label} {hand.score:.2f} [{box}]"


def _record(frame: SourceFrame, hands: list[Hand], latency_ms: float) -> dict[str, Any]:
    """One entry of the JSON."""
    height_px, width_px = frame.pixels.shape[:2]
    return {
        "name": frame.name,
        "time_s": frame.time_s,
        "width_px": width_px,
        "height_px": height_px,
        "hands": [asdict(hand) for hand in hands],
        "latency_ms": latency_ms,
    }


def _plain(wanted: Recognition, recognizer: Recognizer, findings: _Findings) -> dict[str, Any]:
    """Content of the JSON; folders of this machine stay out of it."""
    is_camera = wanted.source.startswith(CAMERA)
    return {
        "source": wanted.source if is_camera else Path(wanted.source).expanduser().resolve().name,
        "model": Path(wanted.model).name,
        "runtime": wanted.runtime,
        "num_threads": wanted.num_threads,
        "min_score": recognizer.thresholds.show if wanted.min_score is None else wanted.min_score,
        "classes": list(recognizer.classes),
        "frames": findings.frames,
        "problems": [asdict(problem) for problem in findings.problems],
        **asdict(recognizer.stats),
    }


def _summary(recognizer: Recognizer, findings: _Findings) -> str:
    frames = findings.frames
    parts = [f"{len(frames)} frame(s), {sum(bool(frame['hands']) for frame in frames)} with hands"]
    if findings.problems:
        parts.append(f"{len(findings.problems)} problem(s)")
    if frames:
        parts.append(f"{statistics.median(frame['latency_ms'] for frame in frames):.1f} ms a frame")
    if recognizer.stats.num_skipped:
        parts.append(f"{recognizer.stats.num_skipped} of {_num_hands(recognizer)} second looks saved")
    if recognizer.stats.num_searched:
        parts.append(f"{recognizer.stats.num_searched} searched in parts")
    if recognizer.stats.num_early:
        parts.append(f"{recognizer.stats.num_early} of {recognizer.stats.num_looks} looks ended early")
    return "; ".join(parts)


def _num_hands(recognizer: Recognizer) -> int:
    return recognizer.stats.num_looks + recognizer.stats.num_skipped


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
