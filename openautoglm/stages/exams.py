"""How the programs of a run are examined: over crops, picture by picture, or over whole frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from itertools import cycle
from typing import Any, Protocol

import numpy as np

from openautoglm.artifacts import load_model
from openautoglm.bench.paired import paired_difference_interval
from openautoglm.bench.result import Int8Cost, ModelResult, to_plain
from openautoglm.data.frames import FrameSet
from openautoglm.export.parity import compare_logits
from openautoglm.runtime.engines import Engine
from openautoglm.runtime.methods import LOOK, parts_of_look
from openautoglm.runtime.recognizer import Recognizer
from openautoglm.runtime.thresholds import Thresholds
from openautoglm.stages import evidence
from openautoglm.stages.evaluate import Logits, predict, predict_each, top1
from openautoglm.stages.exits import ExitExam
from openautoglm.stages.exported import Exported
from openautoglm.stages.frame_evidence import frame_evidence
from openautoglm.stages.frames import FrameFigures, eager_engines, examine, make_recognizer
from openautoglm.stages.remembered import remembered
from openautoglm.stages.run import Run
from openautoglm.stages.thresholds import Chosen, choose_frame_exit, choose_thresholds

_FEW_FRAMES = 300
"""Of dev, below which a threshold is judged on them mirrored too."""
_NUM_TIMED_FRAMES = 32


class Exam(Protocol):
    """Figures of exported programs on the test split, and against eager PyTorch."""

    def figures(self, program: Exported) -> dict[str, Any]:
        """Fields of the program's row that say how well it does."""
        ...

    def call(self, program: Exported) -> Callable[[], object]:
        """One run of the program, to be timed."""
        ...

    def facts(self, program: Exported) -> dict[str, Any]:
        """What the report shows of the main program, as fields of results.json."""
        ...

    def in_eager(self, rows: Sequence[ModelResult]) -> list[ModelResult]:
        """Those rows of the table that this exam knows better than the stage that made them."""
        ...


class CropExam:
    """Every test crop through the second look.

    Args:
        run: whose.
        groups: name to classes whose accuracy is also told apart.
        cost: whether to measure what INT8 costs in accuracy.
        twins: name to the float program of the same format.
        exits: chooses and measures early exits, where the net has some.
    """

    def __init__(
        self,
        run: Run,
        *,
        groups: Mapping[str, Sequence[str]],
        cost: bool,
        twins: Mapping[str, Exported],
        exits: ExitExam,
    ) -> None:
        self._run, self._groups, self._with_cost, self._twins = run, groups, cost, twins
        self._exits = exits
        self._test = run.load("test")
        self._unseen = run.holds_out("test")
        self._logits: dict[str, Logits] = {}

    @cached_property
    def _eager(self) -> Logits:
        return predict(load_model(self._run.find_stage("quantize")), self._test)

    def figures(self, program: Exported) -> dict[str, Any]:
        """Accuracy, unless the net has seen all pictures, and, of an INT8 file, how far it is from eager."""
        logits = self._answers(program)
        accuracy = top1(logits, self._test)
        measured = accuracy if self._unseen else None
        if program.kind == "float":
            return {"top1": measured}
        against = compare_logits(logits, self._eager)
        return {
            "top1": measured,
            "top1_minus_eager": accuracy - top1(self._eager, self._test),
            "agreement": against.agreement,
            "max_abs_diff": against.max_abs_diff,
        }

    def call(self, program: Exported) -> Callable[[], object]:
        """One picture."""
        engine = program.engines[LOOK]
        return partial(engine.run, np.zeros(engine.input_shape, np.float32))

    def facts(self, program: Exported) -> dict[str, Any]:
        """Confusion, mistakes, groups, a contact sheet, the cost of INT8, and what early exits save."""
        facts: dict[str, Any] = {"contact_sheet": evidence.sheet(self._run.folder, self._run.load("train"))}
        if self._unseen:
            logits = self._answers(program)
            facts |= evidence.confusion(program.shown, logits.argmax(axis=1), self._test.labels, self._test.classes)
            facts["groups"] = evidence.group_accuracy(self._groups, logits, self._test)
            facts["mistakes"] = evidence.mistakes(self._run.folder, logits, self._test)
        if self._with_cost:
            facts["int8_cost"] = int8_cost(self._run, program, self._twins[program.twin])
        if parts_of_look(program.engines) and self._unseen and self._run.holds_out("dev"):
            found = self._exits.on_crops(self._run, program, self._answers(program))
            facts["exits"] = found
            if found.sure is not None:
                chosen = {"exit": found.sure}
                facts["thresholds"] = {"thresholds": chosen, "max_loss": found.max_loss, "chosen_on": "dev"}
        return facts

    def in_eager(self, rows: Sequence[ModelResult]) -> list[ModelResult]:  # noqa: ARG002
        """None: a crop's name depends on no threshold."""
        return []

    def _answers(self, program: Exported) -> Logits:
        if program.name not in self._logits:
            title = f"verify {program.name}"
            run = program.engines[LOOK].run
            self._logits[program.name] = predict_each(run, self._test, title=title, console=self._run.console)
        return self._logits[program.name]


class FrameExam:
    """Every test frame through glance and look.

    Args:
        run: whose.
        main: program that thresholds are chosen with.
        twins: name to the float program of the same format.
        cost: whether to measure what INT8 costs the look, on crops beside the frames.
        max_loss: what each of them may cost on dev.
        exits: measures early exits, where the net has some.
    """

    def __init__(
        self,
        run: Run,
        main: Exported,
        *,
        twins: Mapping[str, Exported],
        cost: bool,
        max_loss: float,
        exits: ExitExam,
    ) -> None:
        self._run, self._main, self._twins, self._with_cost = run, main, twins, cost
        self._max_loss, self._exits = max_loss, exits
        self._test = run.load_frames("test")
        self._classes = run.source.class_names()
        self._figures: dict[str, FrameFigures] = {}

    @cached_property
    def _eager(self) -> FrameFigures:
        return self._look_through(self._quantized, self._test)

    @cached_property
    def _quantized(self) -> Recognizer:
        return self._recognizer(eager_engines(self._run.find_stage("quantize")))

    @cached_property
    def _chosen(self) -> Chosen:
        assert self._run.frames is not None
        dev, console = self._run.load_frames("dev"), self._run.console
        if self._run.frames.source.mirror and len(dev) < _FEW_FRAMES:
            dev = dev.with_mirrored()

        engines = remembered(self._main.engines)

        def recognizer_at(thresholds: Thresholds) -> Recognizer:
            return make_recognizer(engines, self._classes, thresholds)

        def on_dev(recognizer: Recognizer) -> FrameFigures:
            return examine(recognizer, dev, title="thresholds on dev", console=console)

        chosen = choose_thresholds(recognizer_at, on_dev, start=Thresholds(), max_loss=self._max_loss)
        if not parts_of_look(self._main.engines):
            return chosen
        return choose_frame_exit(recognizer_at, on_dev, chosen=chosen, max_loss=self._exits.max_loss)

    def _recognizer(self, engines: Mapping[str, Engine]) -> Recognizer:
        return make_recognizer(engines, self._classes, self._chosen.thresholds)

    def figures(self, program: Exported) -> dict[str, Any]:
        """Accuracy and average precision and, of an INT8 file, how far it is from eager."""
        found = self._answers(program)
        scores, plain = found.scores, found.in_row()
        if program.kind == "float":
            return plain
        same = np.mean([one == other for one, other in zip(found.names, self._eager.names, strict=True)])
        apart = None
        if scores.top1 is not None and self._eager.scores.top1 is not None:
            apart = scores.top1 - self._eager.scores.top1
        return {**plain, "top1_minus_eager": apart, "agreement": float(same)}

    def call(self, program: Exported) -> Callable[[], object]:
        """One frame after the other, its resizing included."""
        recognizer = self._recognizer(program.engines)
        step = max(1, len(self._test) // _NUM_TIMED_FRAMES)
        frames = cycle([np.array(self._test.frame(row).image) for row in range(0, len(self._test), step)])
        return lambda: recognizer.recognize(next(frames))

    def facts(self, program: Exported) -> dict[str, Any]:
        """Confusion, mistakes, the thresholds and what they do on dev."""
        found = self._answers(program)
        shown = frame_evidence(program.shown, self._run.folder, found.hands, self._test)
        thresholds = {
            **to_plain(self._chosen),
            "chosen_on": "dev",
            "searched_on_test": found.searched,
            "shown_on_test": to_plain(found.shown_from(self._chosen.thresholds.show)),
        }
        facts = {**shown, "thresholds": thresholds}
        if self._with_cost:
            facts["int8_cost"] = int8_cost(self._run, program, self._twins[program.twin])
        if parts_of_look(program.engines):
            facts["exits"] = self._exits.on_frames(self._run, program, self._chosen)
        return facts

    def in_eager(self, rows: Sequence[ModelResult]) -> list[ModelResult]:
        """The nets in PyTorch with the thresholds that ship; when they were trained, none was chosen yet."""
        return [self._judge(row) for row in rows if row.name in ("student", "student QAT")]

    def _judge(self, row: ModelResult) -> ModelResult:
        dev = self._run.load_frames("dev")
        if row.name == "student QAT":
            recognizer, test = self._quantized, self._eager
        else:
            recognizer = self._recognizer(eager_engines(self._run.find_student()))
            test = self._look_through(recognizer, self._test)
        return replace(row, top1_dev=self._look_through(recognizer, dev).scores.top1, **test.in_row())

    def _look_through(self, recognizer: Recognizer, frames: FrameSet) -> FrameFigures:
        return examine(recognizer, frames, title="verify eager", console=self._run.console)

    def _answers(self, program: Exported) -> FrameFigures:
        if program.name not in self._figures:
            recognizer = self._recognizer(program.engines)
            title = f"verify {program.shown}"
            self._figures[program.name] = examine(recognizer, self._test, title=title, console=self._run.console)
        return self._figures[program.name]


def int8_cost(run: Run, program: Exported, twin: Exported) -> Int8Cost:
    """Accuracy of the look of the float export minus that of the INT8 file, crop by crop.

    Args:
        run: whose; it has crops that were held out.
        program: the INT8 file.
        twin: its float export.
    """
    splits = run.load_held_out()
    right: dict[str, dict[str, Any]] = {}
    for split, images in splits.items():
        for kind, one in (("float", twin), ("int8", program)):
            title = f"verify {kind} on {split}"
            logits = predict_each(one.engines[LOOK].run, images, title=title, console=run.console)
            right.setdefault(kind, {})[split] = logits.argmax(axis=1) == images.labels
    whole = [np.concatenate([right[kind][split] for split in splits]) for kind in ("float", "int8")]
    paired = paired_difference_interval(*whole)
    return Int8Cost(
        runtime=program.backend.name,
        num_samples=paired.num_samples,
        difference=paired.difference,
        ci95=(paired.ci95.low, paired.ci95.high),
        test_net_loss=int(right["float"]["test"].sum() - right["int8"]["test"].sum()),
        extra={
            "splits": {split: len(images) for split, images in splits.items()},
            "test_top1": {kind: float(right[kind]["test"].mean()) for kind in right},
        },
    )
