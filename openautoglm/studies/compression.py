"""What does each way to make a net smaller save, and what does it cost?

One float net, and every method on it: bytes, latency and accuracy from an ExecuTorch program, in one run, beside the
article's claim for dynamic INT8. The same command with the same ``out=FOLDER`` makes nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from openautoglm.api import AutoModel, Quantizer
from openautoglm.artifacts import load_model
from openautoglm.bench.compression import CompressionRow, cost_of
from openautoglm.bench.latency import measure
from openautoglm.bench.origin import collect_commit, collect_device, collect_versions
from openautoglm.bench.result import to_plain
from openautoglm.data.base import ImageSet, Source
from openautoglm.data.splits import judged_splits
from openautoglm.data.transforms import Augment
from openautoglm.report.compression import compression_table, draw_compression
from openautoglm.runtime.engines import Engine, open_engine
from openautoglm.stages.alone import Alone
from openautoglm.stages.evaluate import calibration_pictures, predict_each
from openautoglm.stages.quantize import Quantize
from openautoglm.studies.nets import Net, made_net, shipped_net
from openautoglm.studies.trainings import run_of
from openautoglm.train import FitSettings, clean
from openautoglm.types import Artifact
from openautoglm.zoo import store

FLOAT, QAT, PRUNED = "float", "QAT", "pruned + QAT"
_MADE = (
    "dynamic",
    "static, min-max",
    "static, moving average",
    "static, percentile",
    "mixed",
    "weights int8",
    "weights int4",
)
"""Methods that need no training."""
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
        pruned: released name, artifact's or run's folder of a net that was pruned and then trained for INT8, whose
            program is measured as it is; None leaves that row out.
        rows: methods to measure beside float; None measures all.
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
    pruned: str | None = None
    rows: Sequence[str] | None = None
    model: str = "openautoglm-small"
    augment: Augment = field(default_factory=Augment)
    num_pictures: int = 512
    float_layers: int = 3
    group_size: int = 32
    rounds: int = 50
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse rows that are not there."""
        if strange := [name for name in self.rows or () if name not in self._methods()]:
            needed = f"; {PRUNED} needs study.pruned=NAME" if PRUNED in strange else ""
            raise ValueError(f"study.rows names {', '.join(strange)}; there are {'; '.join(self._methods())}{needed}")

    def _methods(self) -> tuple[str, ...]:
        """All rows that these settings allow, in their order."""
        return (FLOAT, *_MADE, QAT, *([PRUNED] if self.pruned is not None else []))

    def __call__(self, folder: Path, *, settings: FitSettings) -> dict[str, Any]:
        """Measure; nets, their programs, the table's figures and the picture lie in ``folder``."""
        source = self._float_net(folder, settings)
        artifact = store.find(source)
        self._check_classes(artifact)
        self.data.image_size = int(artifact.config["image_size"])
        nets = self._nets(folder, source, settings)
        engines = {name: open_engine("executorch", net.program, num_threads=1) for name, net in nets.items()}
        right, num_test = self._judge(engines, settings)
        blank = np.zeros(next(iter(engines.values())).input_shape, np.float32)
        times = measure({name: partial(engine.run, blank) for name, engine in engines.items()}, rounds=self.rounds)
        rows = [
            CompressionRow(
                method=name,
                kind=net.facts.kind,
                num_int8=net.facts.num_int8,
                num_float=net.facts.num_float,
                macs=net.macs,
                artifact_kb=net.artifact_kb,
                program_kb=net.facts.size_kb,
                size_ratio=net.facts.size_kb / nets[FLOAT].facts.size_kb,
                latency_ms=times[name].to_result(),
                latency_ratio=times[name].median_ms / times[FLOAT].median_ms,
                top1=float(right[name][:num_test].mean()),
                cost=None if name == FLOAT else cost_of(right[FLOAT], right[name]),
            )
            for name, net in nets.items()
        ]
        return self._tell(folder, rows, settings)

    def _check_classes(self, artifact: Artifact) -> None:
        if tuple(artifact.config["classes"]) != self.data.class_names():
            raise ValueError(
                f"{artifact.config['architecture']} knows {', '.join(artifact.config['classes'])}; the data has "
                f"{', '.join(self.data.class_names())}: they must be the same"
            )

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
                "pruned": self.pruned,
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
        run = run_of(self, folder / "training", model=self.model, settings=settings, seed=self.seed)
        settings.console.print(f"{self.model}: {self.alone(run).note}")
        clean(run.stage_folder("alone"))
        AutoModel.save_pretrained(load_model(run.find_stage("alone")), place)
        return place

    def _nets(self, folder: Path, source: Path, settings: FitSettings) -> dict[str, Net]:
        """Method to what is measured of it."""
        wanted = [name for name in self._methods() if self.rows is None or name in (FLOAT, *self.rows)]
        places = {FLOAT: source, **self._made(folder, source, settings, [name for name in _MADE if name in wanted])}
        if QAT in wanted:
            places[QAT] = self._trained(folder, source, settings)
        nets = {name: made_net(place) for name, place in places.items()}
        if self.pruned is not None and PRUNED in wanted:
            nets[PRUNED] = self._shipped(self.pruned)
        return nets

    def _made(self, folder: Path, source: Path, settings: FitSettings, names: Sequence[str]) -> dict[str, Path]:
        """Method to the folder of its net, for those that need no training."""
        quantizer, model = Quantizer(), AutoModel.from_pretrained(source)

        @cache
        def images() -> list[Tensor]:
            return calibration_pictures(self.data.load("train"), self.num_pictures)

        def static(**how: Any) -> nn.Module:
            return quantizer.static_quantize(model, calibration=images(), **how)

        weights = partial(quantizer.quantize_weights, model, group_size=self.group_size)
        makers: Mapping[str, Callable[[], nn.Module]] = {
            "dynamic": partial(quantizer.dynamic_quantize, model),
            "static, min-max": partial(static, ranges="minmax"),
            "static, moving average": static,
            "static, percentile": partial(static, ranges="percentile"),
            "mixed": partial(static, float_layers=self.float_layers),
            "weights int8": partial(weights, dtype="int8"),
            "weights int4": partial(weights, dtype="int4"),
        }
        places = {name: folder / name for name in names}
        for name, place in places.items():
            if not (place / "manifest.json").exists():
                AutoModel.save_pretrained(makers[name](), place)
                settings.console.print(f"{name}: done", highlight=False)
        return places

    def _shipped(self, name: str) -> Net:
        artifact = store.find(name)
        self._check_classes(artifact)
        if artifact.config["image_size"] != self.data.image_size:
            raise ValueError(
                f"study.pruned={name} sees {artifact.config['image_size']} px, the float net {self.data.image_size}: "
                "they must be the same"
            )
        return shipped_net(artifact)

    def _trained(self, folder: Path, source: Path, settings: FitSettings) -> Path:
        config = store.find(source).config
        run = run_of(
            self,
            folder / QAT,
            settings=settings,
            seed=self.seed,
            model=config["architecture"],
            model_arguments=config["arguments"],
            init=str(source),
        )
        place = run.stage_folder("quantize")
        if not (place / "manifest.json").exists():
            settings.console.print(f"{QAT}: {self.quantize(run).note}")
            clean(place)
        return place

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
