"""Operator fusion: what a net computes as it is trained, and what is left of it as kernels of its programs.

A convolution, its BatchNorm and its ReLU are three operations in training and one kernel on the phone. Operations are
counted in the graph and in each file; times are those of the same net in one runtime, with and without fusion. Weights
are fresh: they cost what trained ones do.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from openautoglm.artifacts import build_model
from openautoglm.bench.cost import threads
from openautoglm.bench.latency import measure
from openautoglm.bench.operations import OperationCount, count_census, count_graph
from openautoglm.bench.result import Kind, LatencyResult
from openautoglm.compress import graph as surgery
from openautoglm.export.backend import Backend, ExportedInput, get_backend
from openautoglm.models import Exportable, Program
from openautoglm.runtime.engines import SUFFIXES, open_engine
from openautoglm.types import Artifact

EAGER, APART = "eager", "executorch"
"""PyTorch, and the runtime whose program is also written without fusion."""


@dataclass(frozen=True, kw_only=True)
class FusionRow:
    """One form of the net.

    Attributes:
        runtime: who runs it.
        kind: what it computes in.
        is_fused: whether BatchNorms and ReLUs went into their convolutions; in PyTorch BatchNorms alone.
        operations: counted in the graph or in the file.
        size_kb: of the file; None where there is none.
        latency_ms: of a picture.
        latency_ratio: median over that of the runtime's form without fusion; None where there is none.
    """

    runtime: str
    kind: Kind
    is_fused: bool
    operations: OperationCount
    size_kb: float | None = None
    latency_ms: LatencyResult
    latency_ratio: float | None = None


@dataclass(frozen=True, kw_only=True)
class _Form:
    """A form that is not timed yet."""

    runtime: str
    kind: Kind
    is_fused: bool
    operations: OperationCount
    run: Callable[[], object]
    size_kb: float | None = None

    @property
    def key(self) -> str:
        return f"{self.runtime} {self.kind} {self.is_fused}"


def measure_fusion(
    artifact: Artifact, *, runtimes: Sequence[str] = tuple(SUFFIXES), rounds: int = 50, num_threads: int = 1
) -> tuple[FusionRow, ...]:
    """Count and time a net in every form: as it is trained, and as float and INT8 program of each runtime.

    Args:
        artifact: with INT8 programs, for crops.
        runtimes: of ``"executorch"``, ``"litert"`` and ``"onnx"``.
        rounds: of the timing, all forms in turn.
        num_threads: of PyTorch and of each runtime.

    Raises:
        ValueError: a runtime is unknown or lacks its program, or the net has several methods.
    """
    model = build_model(artifact.config).eval()
    assert isinstance(model, Exportable)
    programs = model.programs()
    if len(programs) > 1:
        raise ValueError(f"fusion is shown on nets with one method; this one has {', '.join(programs)}")
    with tempfile.TemporaryDirectory() as folder:
        forms = list(_eager_forms(programs))
        for name in runtimes:
            forms += _exported_forms(artifact, programs, get_backend(name), Path(folder), num_threads)
        with torch.inference_mode(), threads(num_threads):
            times = measure({form.key: form.run for form in forms}, rounds=rounds, num_threads=num_threads)
    apart_ms = {form.runtime: times[form.key].median_ms for form in forms if not form.is_fused}
    return tuple(
        FusionRow(
            runtime=form.runtime,
            kind=form.kind,
            is_fused=form.is_fused,
            operations=form.operations,
            size_kb=form.size_kb,
            latency_ms=times[form.key].to_result(),
            latency_ratio=times[form.key].median_ms / apart_ms[form.runtime] if form.runtime in apart_ms else None,
        )
        for form in forms
    )


def set_apart(model: nn.Module) -> nn.Module:
    """A copy that computes the same, and in which XNNPACK fuses nothing.

    A BatchNorm becomes a 1x1 depthwise convolution, which is what XNNPACK makes of one that it cannot fold; a ReLU
    becomes a maximum with zero.
    """
    apart = copy.deepcopy(model)
    for parent in list(apart.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(parent, name, _as_convolution(child))
            elif isinstance(child, nn.ReLU):
                setattr(parent, name, _Maximum())
    return apart.eval()


def _eager_forms(programs: Mapping[str, Program]) -> Iterator[_Form]:
    """The traced graph as it is, and with BatchNorms in their convolutions."""
    (program,) = programs.values()
    trained = surgery.unlock(torch.export.export(program.module, program.example).module())
    surgery.part_shared_weights(trained)
    folded = copy.deepcopy(trained)
    surgery.fold_batch_norms(folded)
    picture = torch.rand(program.example[0].shape, generator=torch.Generator().manual_seed(0))
    for graph, is_fused in ((trained, False), (folded, True)):
        counted = count_graph(graph)
        yield _Form(runtime=EAGER, kind="float", is_fused=is_fused, operations=counted, run=partial(graph, picture))


def _exported_forms(
    artifact: Artifact, programs: Mapping[str, Program], backend: Backend, folder: Path, num_threads: int
) -> Iterator[_Form]:
    """Float programs, which are written here, and the INT8 program of the artifact."""
    ((method, program),) = programs.items()
    shipped = artifact.program(backend.suffix)
    if not shipped.exists():
        raise ValueError(f"{artifact.folder} has no program for {backend.name}: export it, or choose other runtimes")

    def form(path: Path, kind: Kind, *, is_fused: bool = True, num_batch_norms: int = 0) -> _Form:
        engine = open_engine(backend.name, path, method=method, output_names=program.outputs, num_threads=num_threads)
        picture = np.random.default_rng(0).random(engine.input_shape, np.float32)
        return _Form(
            runtime=backend.name,
            kind=kind,
            is_fused=is_fused,
            operations=count_census(backend.census(path), num_batch_norms=num_batch_norms),
            run=partial(engine.run_named, picture),
            size_kb=path.stat().st_size / 1e3,
        )

    def written(module: nn.Module, stem: str) -> Path:
        given = ExportedInput(module, program.example, program.outputs)
        return backend.export({method: given}, folder / f"{stem}.{backend.suffix}", quantized=False)[method]

    if backend.name == APART:
        num_batch_norms = sum(isinstance(module, nn.BatchNorm2d) for module in program.module.modules())
        path = written(set_apart(program.module), "apart")
        yield form(path, "float", is_fused=False, num_batch_norms=num_batch_norms)
    yield form(written(program.module, "float"), "float")
    yield form(shipped, "int8")


def _as_convolution(batch_norm: nn.BatchNorm2d) -> nn.Conv2d:
    """``w = g / sqrt(v + eps)``, ``b = beta - m w``."""
    mean, variance = batch_norm.running_mean, batch_norm.running_var
    assert mean is not None
    assert variance is not None
    conv = nn.Conv2d(batch_norm.num_features, batch_norm.num_features, 1, groups=batch_norm.num_features)
    assert conv.bias is not None
    with torch.no_grad():
        factor = batch_norm.weight * torch.rsqrt(variance + batch_norm.eps)
        conv.weight.copy_(factor.reshape(conv.weight.shape))
        conv.bias.copy_(batch_norm.bias - mean * factor)
    return conv


class _Maximum(nn.Module):
    """``max(x, 0)``."""

    zero: Tensor

    def __init__(self) -> None:
        super().__init__()
        # with four axes XNNPACK turns this one number to channels last; with one it would turn every map, twice
        self.register_buffer("zero", torch.zeros(1, 1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.maximum(x, self.zero)
