"""When an early exit is believed: chosen on dev, for a stated loss of accuracy; what that saves is measured on test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from openautoglm.bench.cost import count_macs
from openautoglm.bench.latency import measure
from openautoglm.bench.paired import paired_difference_interval
from openautoglm.bench.result import ExitsResult, LatencyResult
from openautoglm.data.base import ImageSet
from openautoglm.models import Program
from openautoglm.runtime.engines import Engine
from openautoglm.runtime.exits import DepthExits
from openautoglm.runtime.methods import LOOK, parts_of_look
from openautoglm.stages.evaluate import Logits, as_image, predict_each
from openautoglm.stages.exported import Exported
from openautoglm.stages.frames import examine, make_recognizer
from openautoglm.stages.run import Run
from openautoglm.stages.thresholds import Chosen

_SURE = (*(round(0.01 * number, 2) for number in range(5, 100)), 0.995, 0.999)
_NUM_TIMED, _NUM_TIMED_FRAMES = 128, 32


@dataclass(frozen=True, kw_only=True)
class ChosenExit:
    """A threshold and what it does on dev.

    Attributes:
        sure: probability from which an exit is believed; None where none costs little enough.
        top1: share named right when all look to the end, and with the threshold.
        share_early: of the pictures, those that end early.
    """

    sure: float | None
    top1: tuple[float, float]
    share_early: float


def choose_exit(answers: Logits, labels: NDArray[np.integer], *, max_loss: float) -> ChosenExit:
    """The smallest of some thresholds that costs no more accuracy than is allowed.

    Args:
        answers: logits of every part of the look, ``(n, parts, k)``.
        labels: ``(n,)``.
        max_loss: of top-1, as a fraction, against looking to the end.
    """
    whole = float((answers[:, -1].argmax(axis=1) == labels).mean())
    for sure in _SURE:
        part = ending(answers, sure)
        found = float((named(answers, part) == labels).mean())
        share = float((part < answers.shape[1] - 1).mean())
        if share and whole - found <= max_loss:
            return ChosenExit(sure=sure, top1=(whole, found), share_early=share)
    return ChosenExit(sure=None, top1=(whole, whole), share_early=0.0)


def ending(answers: Logits, sure: float) -> NDArray[np.intp]:
    """The part that each look ends with, from 0: the first whose largest probability reaches ``sure``, or the last."""
    spread = np.exp(answers - answers.max(axis=2, keepdims=True))
    believed = spread.max(axis=2) / spread.sum(axis=2) >= sure
    believed[:, -1] = True
    found: NDArray[np.intp] = believed.argmax(axis=1)
    return found


def named(answers: Logits, part: NDArray[np.intp]) -> NDArray[np.intp]:
    """The class that each look ends with."""
    classes: NDArray[np.intp] = answers[np.arange(len(answers)), part].argmax(axis=1)
    return classes


def every_answer(parts: Sequence[Engine]) -> Callable[[NDArray[np.float32]], Logits]:
    """Runs all parts of a look: a picture to logits ``(parts, k)``."""

    def run(image: NDArray[np.float32]) -> Logits:
        rows, given = [], image
        for part in parts:
            found = part.run_named(given)
            rows.append(found["logits"].reshape(-1))
            given = found.get("map", given)
        return np.stack(rows)

    return run


def macs_of(programs: Mapping[str, Program]) -> dict[str, int]:
    """Multiply-adds of each method."""
    with torch.no_grad():
        return {
            method: count_macs(partial(program.module.eval(), *program.example))[0]
            for method, program in programs.items()
        }


@dataclass(frozen=True, kw_only=True)
class ExitExam:
    """What early exits save and cost.

    Attributes:
        macs: of each method.
        max_loss: of accuracy on dev, as a fraction.
        rounds: of the timing, with exits and without in turn.
        num_threads: of the runtime; recorded only.
    """

    macs: Mapping[str, int]
    max_loss: float
    rounds: int
    num_threads: int

    def on_crops(self, run: Run, program: Exported, whole: Logits) -> ExitsResult:
        """Choose on dev, measure on test.

        Args:
            run: holds out both.
            program: with the parts of a look.
            whole: logits of the test pictures when all look to the end.
        """
        parts, test = parts_of_look(program.engines), run.load("test")
        dev = self._answers(run, parts, run.load("dev"))
        chosen = choose_exit(dev, run.load("dev").labels, max_loss=self.max_loss)
        result = ExitsResult(
            program=program.shown,
            sure=chosen.sure,
            max_loss=self.max_loss,
            num_dev=len(dev),
            top1_dev=chosen.top1,
            num_samples=len(test),
            whole_macs=self.macs[LOOK],
        )
        if chosen.sure is None:
            return result
        answers = self._answers(run, parts, test)
        part = ending(answers, chosen.sure)
        right = [classes == test.labels for classes in (whole.argmax(axis=1), named(answers, part))]
        paired = paired_difference_interval(*right)
        up_to = np.cumsum([self.macs[f"{LOOK}_{number + 1}"] for number in range(len(parts))])
        step = max(1, len(test) // _NUM_TIMED)
        pictures = [as_image(pixels) for pixels in test.images[::step]]
        looks = {"whole": program.engines[LOOK].run, "exits": DepthExits(parts, sure=chosen.sure).run}
        whole_ms, latency_ms = self._in_turn(looks, pictures, run.quick)
        return replace(
            result,
            share_early=float((part < len(parts) - 1).mean()),
            whole_top1=float(right[0].mean()),
            top1=float(right[1].mean()),
            difference=paired.difference,
            ci95=(paired.ci95.low, paired.ci95.high),
            macs=round(float(up_to[part].mean())),
            whole_latency_ms=whole_ms,
            latency_ms=latency_ms,
        )

    def on_frames(self, run: Run, program: Exported, chosen: Chosen) -> ExitsResult:
        """What the exit of a net for whole frames, which was chosen with the other thresholds, does on test.

        Args:
            run: holds out both.
            program: with the parts of a look.
            chosen: on dev.
        """
        test, sure = run.load_frames("test"), chosen.thresholds.exit
        result = ExitsResult(
            program=program.shown,
            sure=sure,
            max_loss=self.max_loss,
            num_dev=len(run.load_frames("dev")),
            top1_dev=chosen.exit_top1,
            num_samples=len(test),
            per="frame",
        )
        if sure is None:
            return result
        kinds = {"whole": replace(chosen.thresholds, exit=None), "exits": chosen.thresholds}
        tools = {name: make_recognizer(program.engines, test.classes, thresholds) for name, thresholds in kinds.items()}
        found = {
            name: examine(tool, test, title=f"verify {name}", console=run.console).scores.top1
            for name, tool in tools.items()
        }
        share_early = tools["exits"].stats.num_early / max(1, tools["exits"].stats.num_looks)
        step = max(1, len(test) // _NUM_TIMED_FRAMES)
        frames = [np.array(test.frame(row).image) for row in range(0, len(test), step)]
        whole_ms, latency_ms = self._in_turn({name: tool.recognize for name, tool in tools.items()}, frames, run.quick)
        return replace(
            result,
            share_early=share_early,
            whole_top1=found["whole"],
            top1=found["exits"],
            whole_latency_ms=whole_ms,
            latency_ms=latency_ms,
        )

    def _answers(self, run: Run, parts: Sequence[Engine], images: ImageSet) -> Logits:
        return predict_each(every_answer(parts), images, title=f"exits on {images.name}", console=run.console)

    def _in_turn(
        self, looks: Mapping[str, Callable[[Any], object]], pictures: Sequence[Any], quick: bool
    ) -> tuple[LatencyResult, LatencyResult]:
        """Mean time of a picture, in the order of the looks."""
        times = measure(
            {name: partial(_look_at_all, look, pictures) for name, look in looks.items()},
            rounds=2 if quick else self.rounds,
            warmup=2,
            inner=1,
            num_threads=self.num_threads,
        )
        first, second = (times[name].each_of(len(pictures)).to_result() for name in looks)
        return first, second


def _look_at_all(look: Callable[[Any], object], pictures: Sequence[Any]) -> None:
    for picture in pictures:
        look(picture)
