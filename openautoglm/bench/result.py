"""The JSON of a measurement: what ``results.json`` of a run holds, read and written whole.

Every field but ``recipe`` may be missing while a run is under way; unknown keys are kept in ``extra``.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal

from openautoglm.bench.findings import ComparisonResult as ComparisonResult
from openautoglm.bench.findings import ConfusionResult as ConfusionResult
from openautoglm.bench.findings import EstimateResult as EstimateResult
from openautoglm.bench.findings import ExitsResult as ExitsResult
from openautoglm.bench.findings import GroupResult as GroupResult
from openautoglm.bench.findings import Int8Cost as Int8Cost
from openautoglm.bench.findings import LatencyResult as LatencyResult
from openautoglm.bench.findings import MistakeResult as MistakeResult
from openautoglm.bench.findings import PerClassResult as PerClassResult
from openautoglm.bench.plain import build

FILE_NAME = "results.json"
Kind = Literal["float", "int8", "mixed", "dynamic", "weights"]
"""What heavy operations compute in: float, INT8, INT8 but for some layers, INT8 on ranges of each picture, float on
weights that were rounded."""


@dataclass(frozen=True)
class DataResult:
    """What was trained and tested on, by name and content, never by path.

    Attributes:
        crops: in words, how pictures that show more than the hand became crops; None where they are as they came.
    """

    name: str
    fingerprint: str | None = None
    classes: tuple[str, ...] = ()
    num_train: int | None = None
    num_dev: int | None = None
    num_test: int | None = None
    image_size: int | None = None
    crops: str | None = None
    problems: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DeviceResult:
    """Where it was measured. ``int8``: the processor's fastest instructions for products of INT8, like ``"AVX2"``."""

    cpu: str | None = None
    int8: str | None = None
    num_cores: int | None = None
    num_threads: int | None = None
    accelerator: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StageResult:
    """One finished stage. ``note`` is its one line for people."""

    name: str
    seconds: float | None = None
    reused: bool = False
    note: str | None = None


@dataclass(frozen=True)
class EpochResult:
    """One epoch of a training curve; top-1 as a fraction."""

    epoch: int
    train_loss: float | None = None
    dev_loss: float | None = None
    dev_top1: float | None = None
    lr: float | None = None


@dataclass(frozen=True)
class ModelResult:
    """One row of the table: a model in eager PyTorch or an exported file in its runtime.

    Attributes:
        name: ``"teacher"``, ``"student QAT"``, or a file name such as ``"model.pte"``.
        kind: what its heavy operations compute in.
        runtime: ``"eager"``, ``"executorch"``, ``"litert"`` or ``"onnx"``.
        architecture: name of the architecture.
        top1: share of the test pictures named right.
        top1_dev: the same on dev.
        hand_ap50: average precision of hands in whole frames, see ``openautoglm.bench.detection``.
        map50: the same for each gesture, averaged.
        top1_gold_box: share of the known hands that are named right by a look at their true box.
        top1_minus_eager: ``top1`` minus that of the eager model it was exported from.
        agreement: share of the test pictures named as eager names them.
        max_abs_diff: largest difference of a logit to eager.
        size_ratio: bytes over the bytes of its float export.
        latency_ratio: median over the median of its float export.
        census: what the program runs, see ``openautoglm.export.census``.
    """

    name: str
    kind: Kind = "float"
    runtime: str = "eager"
    architecture: str | None = None
    top1: float | None = None
    top1_dev: float | None = None
    hand_ap50: float | None = None
    map50: float | None = None
    top1_gold_box: float | None = None
    num_params: int | None = None
    macs: int | None = None
    top1_minus_eager: float | None = None
    agreement: float | None = None
    max_abs_diff: float | None = None
    size_kb: float | None = None
    size_ratio: float | None = None
    latency_ms: LatencyResult | None = None
    latency_ratio: float | None = None
    census: dict[str, Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Results:
    """All of ``results.json``. Frozen: ``with_…`` return a changed copy."""

    recipe: str
    command: str | None = None
    seed: int | None = None
    status: Literal["running", "complete", "failed"] = "running"
    error: str | None = None
    measured: bool = True
    started: str | None = None
    seconds: float | None = None
    data: DataResult | None = None
    versions: dict[str, str] = field(default_factory=dict)
    device: DeviceResult | None = None
    commit: str | None = None
    stages: tuple[StageResult, ...] = ()
    curves: dict[str, tuple[EpochResult, ...]] = field(default_factory=dict)
    models: tuple[ModelResult, ...] = ()
    per_class: PerClassResult | None = None
    groups: tuple[GroupResult, ...] = ()
    confusion: ConfusionResult | None = None
    mistakes: tuple[MistakeResult, ...] = ()
    contact_sheet: str | None = None
    int8_cost: Int8Cost | None = None
    comparisons: tuple[ComparisonResult, ...] = ()
    estimate: EstimateResult | None = None
    exits: ExitsResult | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    def model(self, name: str) -> ModelResult | None:
        """The row of that name, if it is there."""
        return next((model for model in self.models if model.name == name), None)

    def float_twin(self, model: ModelResult) -> ModelResult | None:
        """The float export of the same runtime as an exported INT8 file."""
        if model.kind == "float" or model.runtime == "eager":
            return None
        return next((m for m in self.models if m.kind == "float" and m.runtime == model.runtime), None)

    def with_model(self, model: ModelResult) -> Results:
        """Add a row or replace the one of that name, which keeps its place."""
        return replace(self, models=_placed(self.models, model))

    def with_stage(self, stage: StageResult) -> Results:
        """Add a finished stage or replace the one of that name."""
        return replace(self, stages=_placed(self.stages, stage))

    def with_curve(self, stage: str, epochs: tuple[EpochResult, ...]) -> Results:
        """Set the training curve of a stage."""
        return replace(self, curves={**self.curves, stage: tuple(epochs)})


def from_plain(plain: Any, *, source: str = FILE_NAME) -> Results:
    """Build from parsed JSON; a value of the wrong type raises ValueError that names its place."""
    try:
        return build(Results, plain)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None


def to_plain(value: Any) -> Any:
    """Dataclasses as dicts with ``extra`` merged in; NaN and infinity as None, which JSON can hold."""
    if is_dataclass(value) and not isinstance(value, type):
        plain = {f.name: to_plain(getattr(value, f.name)) for f in fields(value) if f.name != "extra"}
        return {**to_plain(getattr(value, "extra", {})), **plain}
    if isinstance(value, dict):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:  # numpy and torch scalars
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def read_results(path: Path) -> Results:
    """Read ``results.json``, or the one in a run folder."""
    path = path / FILE_NAME if path.is_dir() else path
    try:
        plain = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path} is missing: give the folder of a run, the one with {FILE_NAME}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not readable JSON ({error}); run the recipe again with resume=") from None
    return from_plain(plain, source=str(path))


def write_results(path: Path, results: Results) -> None:
    """Write atomically: whoever reads sees the old file or the new one, after a crash too."""
    path = path / FILE_NAME if path.is_dir() else path
    text = json.dumps(to_plain(results), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def update_results(path: Path, change: Callable[[Results], Results]) -> Results:
    """Read, change, write: ``update_results(folder, lambda r: r.with_stage(stage))``. One writer a run."""
    results = change(read_results(path))
    write_results(path, results)
    return results


def _placed(rows: tuple[Any, ...], row: Any) -> tuple[Any, ...]:
    if any(old.name == row.name for old in rows):
        return tuple(row if old.name == row.name else old for old in rows)
    return (*rows, row)
