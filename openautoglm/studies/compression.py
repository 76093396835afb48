"""What does each way to make a net smaller save, and what does it cost?

One float net, and every method on it: bytes, latency and accuracy from an ExecuTorch program, in one run, beside the
article's claim for dynamic INT8. The same command with the same ``out=FOLDER`` makes nothing twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from openautoglm.api import AutoModel, Quantizer
from openautoglm.artifacts import load_model
from openautoglm.bench.compression import CompressionRow, cost_of
from openautoglm.bench.latency import measure
from openautoglm.bench.origin import collect_commit, collect_device, collect_versions
from openautoglm.bench.plain import build
from openautoglm.bench.result import to_plain
from openautoglm.data.base import ImageSet, Source
from openautoglm.data.splits import judged_splits
from openautoglm.data.transforms import Augment
from openautoglm.report.compression import compression_table, draw_compression
from openautoglm.runtime.engines import Engine, open_engine
from openautoglm.stages.alone import Alone
from openautoglm.stages.evaluate import calibration_pictures, predict_each
from openautoglm.stages.programs import ProgramFacts, export_artifact
from openautoglm.stages.quantize import Quantize
from openautoglm.stages.run import Run
from openautoglm.train import FitSettings, clean
from openautoglm.zoo import store

FLOAT = "float"
CLAIM = {"method": "dynamic", "size_ratio": 0.25, "latency_ratio": 0.60}
"""Of the article that the systems come from: 75 % smaller, 40 % faster."""


@dataclass(frozen=True, kw_only=True)
class CompressionStudy:
    """Every method on one net.

    Attributes:
        data: crops of hands.
        artifact: released name or folder of the float net; None trains one.
        alone: how.
        quantize: quantization-aware training.
        model: name of the architecture that is trained.
        augment: changes to training pictures.
        num_pictures: of the training split that static ranges are taken from.
        float_layers: how many of the most sensitive layers the mixed net keeps in float.
        group_size: inputs that share a scale, of weights alone.
        rounds: of the timing.
        seed: of trainings.
    """

    data: Source
    alone: Alone
    quantize: Quantize
    artifact: str | None = None
    model: str = "openautoglm-small"
    augment: Augment = field(default_factory=Augment)
    num_pictures: int = 512
    float_layers: int = 3
    group_size: int = 32
    rounds: int = 50
    seed: int = 0

    def __call__(self, folder: Path, *, settings: FitSettings) -> dict[str, Any]:
        """Measure; nets, their programs, the table's figures and the picture lie in ``folder``."""
        source = self._float_net(folder, settings)
        artifact = store.find(source)
        if tuple(artifact.config["classes"]) != self.data.class_names():
            raise ValueError(
                f"{artifact.config['architecture']} knows {', '.join(artifact.config['classes'])}; the data has "
                f"{', '.join(self.data.class_names())}: they must be the same"
            )
        self.data.image_size = int(artifact.config["image_size"])
        places = {FLOAT: source} | self._nets(folder, source, settings)
        programs = {name: _program(place) for name, place in places.items()}
        engines = {
            name: open_engine("executorch", places[name] / "programs" / "model.pte", num_threads=1) for name in places
        }
        right, num_test = self._judge(engines, settings)
        blank = np.zeros(next(iter(engines.values())).input_shape, np.float32)
        times = measure({name: partial(engine.run, blank) for name, engine in engines.items()}, rounds=self.rounds)
        rows = [
            CompressionRow(
                method=name,
                kind=programs[name].kind,
                num_int8=programs[name].num_int8,
                num_float=programs[name].num_float,
                artifact_kb=store.find(places[name]).weights.stat().st_size / 1e3,
                program_kb=programs[name].size_kb,
                size_ratio=programs[name].size_kb / programs[FLOAT].size_kb,
                latency_ms=times[name].to_result(),
                latency_ratio=times[name].median_ms / times[FLOAT].median_ms,
                top1=float(right[name][:num_test].mean()),
                cost=None if name == FLOAT else cost_of(right[FLOAT], right[name]),
            )
            for name in places
        ]
        return self._tell(folder, rows, settings)

    def _tell(self, folder: Path, rows: Sequence[CompressionRow], settings: FitSettings) -> dict[str, Any]:
        settings.console.print(compression_table(rows))
        draw_compression(rows, folder / "compression.png", claim=CLAIM)
        test = self.data.load("test")
        return {
            "study": "compression",
            "measured": True,
            "data": {"name": test.name, "fingerprint": test.fingerprint, "num_test": len(test)},
            "rows": to_plain(rows),
            "claim": CLAIM,
            "settings": {
                "model": self.model if self.artifact is None else self.artifact,
                "num_pictures": self.num_pictures,
                "float_layers": self.float_layers,
                "group_size": self.group_size,
                "qat_epochs": self.quantize.epochs,
                "rounds": self.rounds,
                "seed": self.seed,
            },
            "versions": collect_versions(),
            "device": to_plain(collect_device(num_threads=1, accelerator="cpu")),
            "commit": collect_commit(),
        }

    def _float_net(self, folder: Path, settings: FitSettings) -> Path:
        """The float net, in a folder of its own."""
        place = folder / FLOAT
        if (place / "manifest.json").exists():
            return place
        if self.artifact is not None:
            AutoModel.save_pretrained(load_model(store.find(self.artifact)), place)
            return place
        run = self._run(folder / "training", settings)
        settings.console.print(f"{self.model}: {self.alone(run).note}")
        clean(run.stage_folder("alone"))
        AutoModel.save_pretrained(load_model(run.find_stage("alone")), place)
        return place

    def _nets(self, folder: Path, source: Path, settings: FitSettings) -> dict[str, Path]:
        """Method to the folder of its net."""
        quantizer, model = Quantizer(), AutoModel.from_pretrained(source)
        images = calibration_pictures(self.data.load("train"), self.num_pictures)
        static = partial(quantizer.static_quantize, model, calibration=images)
        weights = partial(quantizer.quantize_weights, model, group_size=self.group_size)
        made: Mapping[str, Callable[[], nn.Module]] = {
            "dynamic": partial(quantizer.dynamic_quantize, model),
            "static, min-max": partial(static, ranges="minmax"),
            "static, moving average": static,
            "static, percentile": partial(static, ranges="percentile"),
            "mixed": partial(static, float_layers=self.float_layers),
            "weights int8": partial(weights, dtype="int8"),
            "weights int4": partial(weights, dtype="int4"),
        }
        places = {}
        for name, make in made.items():
            places[name] = folder / name
            if not (places[name] / "manifest.json").exists():
                AutoModel.save_pretrained(make(), places[name])
                settings.console.print(f"{name}: done", highlight=False)
        places["QAT"] = self._trained(folder, source, settings)
        return places

    def _trained(self, folder: Path, source: Path, settings: FitSettings) -> Path:
        run = self._run(folder / "QAT", settings, init=str(source))
        place = run.stage_folder("quantize")
        if not (place / "manifest.json").exists():
            settings.console.print(f"QAT: {self.quantize(run).note}")
            clean(place)
        return place

    def _run(self, folder: Path, settings: FitSettings, *, init: str | None = None) -> Run:
        """A run outside of any recipe's command."""
        architecture, arguments = self.model, {}
        if init is not None:
            config = store.find(init).config
            architecture, arguments = config["architecture"], config["arguments"]
        return Run(
            folder=folder,
            recipe="compression",
            command="",
            seed=self.seed,
            source=self.data,
            model=architecture,
            model_arguments=arguments,
            init=init,
            augment=self.augment,
            settings=settings,
        )

    def _judge(self, engines: Mapping[str, Engine], settings: FitSettings) -> tuple[dict[str, NDArray[np.bool_]], int]:
        """Whether each program names each picture right: those of test first, then those it is compared on only."""
        splits = judged_splits(self.data)
        right = {}
        for name, engine in engines.items():
            found = [self._answers(engine, images, name, settings) for images in splits.values()]
            right[name] = np.concatenate(found)
        return right, len(splits["test"])

    def _answers(self, engine: Engine, images: ImageSet, name: str, settings: FitSettings) -> NDArray[np.bool_]:
        logits = predict_each(engine.run, images, title=name, console=settings.console)
        return np.asarray(logits.argmax(axis=1) == images.labels)


def _program(place: Path) -> ProgramFacts:
    """The ExecuTorch program of a net, written unless it is there."""
    told = place / "program.json"
    if told.exists():
        found: ProgramFacts = build(ProgramFacts, json.loads(told.read_text(encoding="utf-8")))
        return found
    _, (facts,) = export_artifact(place, backends=["executorch"])
    store.write_json(told, to_plain(facts))
    return facts
