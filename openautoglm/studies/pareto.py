"""Is this family worth its time? INT8 accuracy over INT8 latency, beside timm's mobile nets.

Every net is trained from scratch on the same labelled pictures for as many epochs, goes through the same
quantization-aware training beside its own float self, and is exported by the same path to ExecuTorch. Accuracy is that
of the file; all files are timed in one run. What of a net cannot be quantised stays float and is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from openautoglm.artifacts import TIMM, build_model
from openautoglm.bench.front import FrontRow, find_front, match
from openautoglm.bench.latency import measure
from openautoglm.bench.origin import collect_commit, collect_device, collect_versions
from openautoglm.bench.result import to_plain
from openautoglm.data.base import Source
from openautoglm.data.transforms import Augment
from openautoglm.export.census import Census
from openautoglm.models import Exportable
from openautoglm.report.pareto import draw_front, front_markdown
from openautoglm.runtime.methods import LOOK
from openautoglm.stages.alone import Alone
from openautoglm.stages.evaluate import predict_each
from openautoglm.stages.export import Export
from openautoglm.stages.exported import FLOAT, Exported, open_exported
from openautoglm.stages.loop import run_stages
from openautoglm.stages.quantize import Quantize
from openautoglm.studies.trainings import run_of
from openautoglm.train import FitSettings
from openautoglm.zoo import store

_SUFFIX = "pte"


@dataclass(frozen=True, kw_only=True)
class ParetoStudy:
    """One training, one file a net.

    Attributes:
        data: crops of hands.
        nets: names of architectures, timm's with ``timm/`` before them.
        alone: how each is trained.
        quantize: how each is quantised.
        augment: changes to training pictures.
        rounds: of the timing.
        seed: of trainings.
    """

    data: Source
    nets: Sequence[str]
    alone: Alone
    quantize: Quantize
    augment: Augment = field(default_factory=Augment)
    rounds: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse a comparison without both sides."""
        if len({_is_ours(net) for net in self.nets}) < 2:
            raise ValueError(f"study.nets should hold nets of ours and of timm ({TIMM}…), got {', '.join(self.nets)}")

    def __call__(self, folder: Path, *, settings: FitSettings) -> dict[str, Any]:
        """Measure; trainings, programs, the table and its picture lie in ``folder``.

        The same command with the same folder goes on where it was ended.
        """
        programs = {net: self._made(folder, net, settings) for net in self.nets}
        right = {net: self._right(program, net, settings) for net, (program, _) in programs.items()}
        blank = np.zeros((1, 3, self.data.image_size, self.data.image_size), np.float32)
        calls = {net: partial(program.engines[LOOK].run, blank) for net, (program, _) in programs.items()}
        times = measure(calls, rounds=self.rounds)
        rows = [
            FrontRow(
                net=net,
                is_ours=_is_ours(net),
                num_params=_num_params(folder, net),
                kind=program.kind if program.census.is_int8 else "mixed",
                num_int8=program.census.num_int8_heavy,
                num_float=_num_float(program.census),
                size_kb=program.num_bytes / 1e3,
                latency_ms=times[net].to_result(),
                float_top1=float(self._right(twin, net, settings).mean()),
                top1=float(right[net].mean()),
            )
            for net, (program, twin) in programs.items()
        ]
        front = find_front({net: times[net].median_ms for net in times}, {row.net: row.top1 for row in rows})
        return self._tell(folder, [replace(row, is_on_front=row.net in front) for row in rows], right)

    def _made(self, folder: Path, net: str, settings: FitSettings) -> tuple[Exported, Exported]:
        """The INT8 program of a net and its float twin."""
        run = run_of(self, folder / _slug(net), model=net, settings=settings, seed=self.seed)
        settings.console.print(f"[bold]{net}[/]")
        export = Export(backends=("executorch",))
        run_stages(run, {"alone": self.alone, "quantize": self.quantize, "export": export})
        model = build_model(run.find_stage("quantize").config)
        assert isinstance(model, Exportable)
        found = open_exported(run, model.programs(), num_threads=1)
        return found[f"int8.{_SUFFIX}"], found[f"{FLOAT}.{_SUFFIX}"]

    def _right(self, program: Exported, net: str, settings: FitSettings) -> NDArray[np.bool_]:
        """Whether a program names each test picture right."""
        test = self.data.load("test")
        logits = predict_each(program.engines[LOOK].run, test, title=net, console=settings.console)
        return np.asarray(logits.argmax(axis=1) == test.labels)

    def _tell(self, folder: Path, rows: list[FrontRow], right: Mapping[str, NDArray[np.bool_]]) -> dict[str, Any]:
        matches, test = match(rows, right), self.data.load("test")
        (folder / "front.md").write_text(front_markdown(rows, matches), encoding="utf-8")
        draw_front(rows, folder / "front.png")
        return {
            "study": "pareto",
            "measured": True,
            "data": {"name": test.name, "fingerprint": test.fingerprint, "num_test": len(test)},
            "rows": to_plain(rows),
            "matches": to_plain(matches),
            "settings": {
                "epochs": self.alone.epochs,
                "small_epochs": self.alone.small_epochs,
                "batch_size": self.alone.batch_size,
                "learning_rate": self.alone.learning_rate,
                "qat_epochs": self.quantize.epochs,
                "qat_learning_rate": self.quantize.learning_rate,
                "augment": to_plain(self.augment),
                "rounds": self.rounds,
                "seed": self.seed,
            },
            "versions": collect_versions(),
            "device": to_plain(collect_device(num_threads=torch.get_num_threads(), accelerator="cpu")),
            "commit": collect_commit(),
        }


def _is_ours(net: str) -> bool:
    return not net.startswith(TIMM)


def _slug(net: str) -> str:
    return net.replace("/", "_")


def _num_params(folder: Path, net: str) -> int:
    config = store.find(folder / _slug(net) / "alone").config
    return sum(parameter.numel() for parameter in build_model(config).parameters())


def _num_float(census: Census) -> int:
    """Operations in float; converting a picture in and logits out is no work of the net's."""
    other = sum(number for name, number in census.other.items() if name.endswith(" float") and "Convert" not in name)
    return len(census.float_heavy) + census.matmul.get("float", 0) + other
