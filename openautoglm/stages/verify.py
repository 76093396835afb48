"""Verify: every exported file in its own runtime, against eager and against its float export.

Only a file whose convolutions and linear layers all run in INT8 gets into ``artifact/``.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from openautoglm.api import load_model
from openautoglm.bench.latency import measure
from openautoglm.bench.paired import paired_difference_interval
from openautoglm.bench.result import Int8Cost, LatencyResult, ModelResult, to_plain
from openautoglm.data.base import ImageSet
from openautoglm.export.backend import Backend, get_backend
from openautoglm.export.parity import compare_logits
from openautoglm.runtime.engines import SUFFIXES, Engine, open_engine
from openautoglm.stages import evidence
from openautoglm.stages.evaluate import Logits, predict, predict_each, top1
from openautoglm.stages.export import METHOD
from openautoglm.stages.run import Outcome, Run, results_of
from openautoglm.zoo import cards, store

MAX_EAGER_DIFFERENCE = 0.005
"""Accuracy that a file may differ by from the eager quantised model it was made of."""


@dataclass(frozen=True, kw_only=True)
class Verify:
    """Measures the files of ``export/`` and makes the artifact.

    Attributes:
        rounds: of the latency measurement, INT8 and float in turn.
        num_threads: of each runtime.
        cost: also measure what INT8 costs in accuracy, paired, on test, dev and holdout together.
        groups: name to classes whose accuracy is also told apart.
    """

    rounds: int = 50
    num_threads: int = 1
    cost: bool = False
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __call__(self, run: Run) -> Outcome:
        """Leave the result in ``artifact/``."""
        self._check_groups(run)
        files = _Files.of(run, self.num_threads)
        files.refuse_float()
        test = run.load("test")
        eager = predict(load_model(run.find_stage("quantize")), test)
        logits = {
            name: predict_each(engine.run, test, title=f"verify {name}", console=run.console)
            for name, engine in files.engines.items()
        }
        picture = np.zeros(next(iter(files.engines.values())).input_shape, np.float32)
        latency = measure(
            {name: partial(engine.run, picture) for name, engine in files.engines.items()},
            rounds=2 if run.quick else self.rounds,
            num_threads=self.num_threads,
        )
        rows = [
            _row(run, files, name, logits[name], eager, test, {key: asdict(value) for key, value in latency.items()})
            for name in files.engines
        ]
        main = next(iter(files.engines))
        facts: dict[str, Any] = evidence.confusion(_shown(main), logits[main], test)
        facts["groups"] = evidence.group_accuracy(self.groups, logits[main], test)
        facts["mistakes"] = evidence.mistakes(run.folder, logits[main], test)
        facts["contact_sheet"] = evidence.sheet(run.folder, run.load("train"))
        if self.cost:
            facts["int8_cost"] = _cost(run, files, main)
        _build_artifact(run, files, rows, facts)
        return Outcome(note=_note(rows), models=tuple(rows), facts=facts)

    def _check_groups(self, run: Run) -> None:
        known = run.source.class_names()
        for name, classes in self.groups.items():
            unknown = [label for label in classes if label not in known]
            if unknown:
                raise ValueError(
                    f"stages.verify.groups.{name} names {', '.join(unknown)}; the data has {', '.join(known)}"
                )


@dataclass(frozen=True)
class _Files:
    """The exported files, INT8 before float of each runtime, opened."""

    backends: Mapping[str, Backend]
    paths: Mapping[str, Path]
    engines: Mapping[str, Engine]

    @classmethod
    def of(cls, run: Run, num_threads: int) -> _Files:
        folder = run.stage_folder("export")
        found = [name for name, suffix in SUFFIXES.items() if (folder / f"int8.{suffix}").exists()]
        if not found:
            raise ValueError(f"{folder} holds no exported file; run the stage export first")
        paths = {f"{kind}.{SUFFIXES[name]}": name for name in found for kind in ("int8", "float")}
        return cls(
            backends={file: get_backend(name) for file, name in paths.items()},
            paths={file: folder / file for file in paths},
            engines={
                file: open_engine(name, folder / file, method=METHOD, num_threads=num_threads)
                for file, name in paths.items()
            },
        )

    def refuse_float(self) -> None:
        """Raise if a file that is named INT8 computes a heavy operation in float."""
        for name, path in self.paths.items():
            census = self.backends[name].census(path)
            if name.startswith("int8.") and not census.is_int8:
                heavy = ", ".join(census.float_heavy) or "it has no convolution or linear layer at all"
                raise ValueError(f"{path} is not INT8, so it does not become an artifact; in float: {heavy}")


def _shown(file: str) -> str:
    """Name of a file in the table: the INT8 ones are the result."""
    return file.replace("int8.", "model.")


def _row(
    run: Run, files: _Files, name: str, logits: Logits, eager: Logits, test: ImageSet, latency: dict[str, Any]
) -> ModelResult:
    """One row of the table."""
    backend, path = files.backends[name], files.paths[name]
    twin = name.replace("int8.", "float.")
    is_int8 = twin != name
    against = compare_logits(logits, eager) if is_int8 else None
    time = latency[name]
    return ModelResult(
        name=_shown(name),
        kind="int8" if is_int8 else "float",
        runtime=backend.name,
        architecture=run.model,
        top1=top1(logits, test),
        top1_minus_eager=top1(logits, test) - top1(eager, test) if is_int8 else None,
        agreement=against.agreement if against else None,
        max_abs_diff=against.max_abs_diff if against else None,
        size_kb=path.stat().st_size / 1e3,
        size_ratio=path.stat().st_size / files.paths[twin].stat().st_size if is_int8 else None,
        latency_ms=LatencyResult(
            median=time["median_ms"], q1=time["q1_ms"], q3=time["q3_ms"],
            rounds=time["rounds"], num_threads=time["num_threads"],
        ),
        latency_ratio=time["median_ms"] / latency[twin]["median_ms"] if is_int8 else None,
        census=backend.census(path).to_dict(),
    )  # fmt: skip


def _cost(run: Run, files: _Files, main: str) -> Int8Cost:
    """Accuracy of the float export minus that of the INT8 file, picture by picture."""
    splits = {"test": run.load("test"), "dev": run.load("dev")}
    load_holdout = getattr(run.source, "load_holdout", None)
    if load_holdout is not None and len(held := load_holdout()):
        splits["holdout"] = run.cut(held)
    right: dict[str, dict[str, Any]] = {}
    for split, images in splits.items():
        for kind, file in (("float", main.replace("int8.", "float.")), ("int8", main)):
            title = f"verify {kind} on {split}"
            logits = predict_each(files.engines[file].run, images, title=title, console=run.console)
            right.setdefault(kind, {})[split] = logits.argmax(axis=1) == images.labels
    whole = [np.concatenate([right[kind][split] for split in splits]) for kind in ("float", "int8")]
    paired = paired_difference_interval(*whole)
    return Int8Cost(
        runtime=files.backends[main].name,
        num_samples=paired.num_samples,
        difference=paired.difference,
        ci95=(paired.ci95.low, paired.ci95.high),
        test_net_loss=int(right["float"]["test"].sum() - right["int8"]["test"].sum()),
        extra={"splits": {split: len(images) for split, images in splits.items()}},
    )


def _build_artifact(run: Run, files: _Files, rows: list[ModelResult], facts: dict[str, Any]) -> None:
    """Put the checked files, the integers and the figures together."""
    quantized = run.find_stage("quantize")
    results = results_of(run)
    programs = {
        f"programs/{_shown(name)}": {
            "runtime": files.backends[name].name,
            "methods": files.backends[name].describe(path),
        }
        for name, path in files.paths.items()
        if name.startswith("int8.")
    }
    manifest = {
        "name": f"{run.model} trained by {run.recipe}",
        "recipe": run.recipe,
        "command": run.command,
        "seed": run.seed,
        "data": to_plain(results.data),
        "versions": results.versions,
        "commit": results.commit,
        "labels": list(quantized.config["classes"]),
        "resize": "pad to a square with grey 128, then resize with antialiasing",
        "programs": programs,
        "figures": to_plain([*results.models, *rows]),
        "int8_cost": to_plain(facts.get("int8_cost")),
    }

    def write(fresh: Path) -> None:
        for name in ("config.json", "model.safetensors", "quantization.json"):
            shutil.copyfile(quantized.folder / name, fresh / name)
        (fresh / "programs").mkdir()
        for name, path in files.paths.items():
            if name.startswith("int8."):
                shutil.copyfile(path, fresh / "programs" / _shown(name))
        (fresh / "README.md").write_text(cards.write_card(manifest), encoding="utf-8")

    store.build(run.artifact, write, manifest)


def _note(rows: list[ModelResult]) -> str:
    """The INT8 files in a few words, with a warning where one strays from eager."""
    parts = []
    for row in rows:
        if row.kind == "int8" and row.top1 is not None and row.latency_ms is not None:
            strays = abs(row.top1_minus_eager or 0.0) > MAX_EAGER_DIFFERENCE
            warning = " [red](differs from eager)[/]" if strays else ""
            parts.append(f"{row.name} {100 * row.top1:.2f} % {row.latency_ms.median:.2f} ms{warning}")
    return ", ".join(parts)
