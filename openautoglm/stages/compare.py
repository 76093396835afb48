"""Compare: the artifact's programs beside those of another net, timed in the same rounds, on the same pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from openautoglm.bench.latency import measure
from openautoglm.bench.paired import paired_difference_interval
from openautoglm.bench.programs import open_programs
from openautoglm.bench.result import ComparisonResult
from openautoglm.data.base import ImageSet
from openautoglm.report import numbers
from openautoglm.runtime.engines import SUFFIXES, Engine
from openautoglm.runtime.methods import LOOK
from openautoglm.stages.evaluate import predict_each
from openautoglm.stages.run import Outcome, Run
from openautoglm.types import Artifact
from openautoglm.zoo import store


@dataclass(frozen=True, kw_only=True)
class Compare:
    """Ratios of bytes and latency, and the difference in accuracy on all pictures that were held out.

    Attributes:
        reference: released name, artifact's folder or run's folder; where it has no programs, nothing is compared.
        rounds: of the latency measurement, both nets in turn.
        num_threads: of each runtime.
    """

    reference: str | None = None
    rounds: int = 100
    num_threads: int = 1

    def __call__(self, run: Run) -> Outcome:
        """Enter a row a program and method into results.json."""
        own = store.find(run.artifact)
        other = None if self.reference is None else store.find(self.reference)
        if other is None or not other.manifest.get("programs"):
            return Outcome(
                note=f"{self.reference or 'nobody'} has no programs to compare with: give stages.compare.reference="
            )
        ours, theirs = (open_programs(one, tuple(SUFFIXES), self.num_threads) for one in (own, other))
        pictures = run.load_held_out() if run.frames is None and _same_task(own, other) else {}
        shared = {key: (engine, theirs[key]) for key, engine in ours.items() if key in theirs}
        times = measure(
            {
                " ".join((*key, str(number))): partial(engine.run_named, np.full(engine.input_shape, 0.5, np.float32))
                for key, pair in shared.items()
                for number, engine in enumerate(pair)
            },
            rounds=2 if run.quick else self.rounds,
            num_threads=self.num_threads,
        )
        rows = []
        for (file, method), pair in shared.items():
            size_kb, other_kb = (one.num_bytes(file) / 1e3 for one in (own, other))
            latency_ms, other_ms = (times[f"{file} {method} {number}"].to_result() for number in (0, 1))
            row = ComparisonResult(
                program=Path(file).name,
                method=method,
                reference=str(other.manifest.get("name", other.folder.name)),
                size_kb=size_kb,
                size_ratio=size_kb / other_kb,
                latency_ms=latency_ms,
                reference_latency_ms=other_ms,
                latency_ratio=latency_ms.median / other_ms.median,
            )
            rows.append(_judged(run, row, pair, pictures) if method == LOOK and pictures else row)
        note = "; ".join(_sentence(row) for row in rows)
        return Outcome(note=note, facts={"comparisons": tuple(rows)})


def _same_task(own: Artifact, other: Artifact) -> bool:
    return all(own.config[name] == other.config[name] for name in ("classes", "image_size"))


def _judged(
    run: Run, row: ComparisonResult, engines: tuple[Engine, Engine], pictures: Mapping[str, ImageSet]
) -> ComparisonResult:
    """With the accuracy of both, picture by picture."""
    own, other = (np.concatenate([_right(run, engine, images) for images in pictures.values()]) for engine in engines)
    paired = paired_difference_interval(other, own)
    return replace(
        row,
        num_samples=paired.num_samples,
        top1=float(own.mean()),
        reference_top1=float(other.mean()),
        difference=paired.difference,
        ci95=(paired.ci95.low, paired.ci95.high),
    )


def _right(run: Run, engine: Engine, images: ImageSet) -> NDArray[np.bool_]:
    """Which pictures a program names right."""
    logits = predict_each(engine.run, images, title=f"compare on {images.name}", console=run.console)
    right: NDArray[np.bool_] = logits.argmax(axis=1) == images.labels
    return right


def _sentence(row: ComparisonResult) -> str:
    text = f"{row.program} {row.method} {numbers.ratio(row.latency_ratio)} the time, "
    text += f"{numbers.ratio(row.size_ratio)} the bytes of {row.reference}"
    if row.difference is None or row.ci95 is None:
        return text
    low, high = numbers.points(-row.ci95[1]), numbers.points(-row.ci95[0])
    lost = f"{numbers.points(-row.difference)} points ({low} to {high})"
    return f"{text}, {lost} on {numbers.count(row.num_samples)} pictures"
