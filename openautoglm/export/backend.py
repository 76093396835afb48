"""The contract of a target: which quantizer it wants, how a program is written, what is in the file."""

from __future__ import annotations

import importlib.util
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.fx.traceback import NodeSource

from openautoglm.export.census import Census
from openautoglm.nn.fusion import LocalEntropy
from openautoglm.runtime.quiet import quiet_stderr
from openautoglm.types import MissingExtraError

INPUT, OUTPUT = "image", "logits"
"""Names of a program's input and of its output when there is one, where the format has names."""
GIVEN = "given"
"""Name of the input of a program that starts from what another one has returned."""
_COLOURS = 3


@dataclass(frozen=True)
class ExportedInput:
    """One method of a program.

    Attributes:
        module: float model, or converted graph, in evaluation mode; a picture, or a map that another program returns,
            to one tensor or a tuple of them.
        example: inputs of the program's fixed shape, batch 1.
        outputs: names of what it returns, in order.
    """

    module: nn.Module
    example: tuple[Tensor, ...]
    outputs: tuple[str, ...] = (OUTPUT,)


class Backend(Protocol):
    """A target.

    Attributes:
        name: of the runtime, such as ``"executorch"``.
        suffix: of its files, such as ``"pte"``.
        fold_quantize: what ``compress.pt2e.convert`` is to be told for it.
    """

    name: str
    suffix: str
    fold_quantize: bool

    def quantizer(self) -> Any:
        """The PT2E quantizer to train with."""
        ...

    def export(self, programs: Mapping[str, ExportedInput], path: Path, *, quantized: bool) -> dict[str, Path]:
        """Write the methods, each file whole or not at all; returns the file of each method, often the same."""
        ...

    def beside(self, path: Path) -> tuple[Path, ...]:
        """Files that a program needs beside its own."""
        ...

    def census(self, path: Path) -> Census:
        """Count what runs, read from the file."""
        ...

    def describe(self, path: Path, outputs: Mapping[str, Sequence[str]] | None = None) -> dict[str, Any]:
        """Inputs and outputs of each method, as plain data for the manifest.

        Args:
            path: the file.
            outputs: names of each method's outputs, for a format that keeps none; ``OUTPUT`` alone when None.
        """
        ...


@dataclass(frozen=True)
class _Target:
    build: Callable[[], Backend]
    packages: tuple[str, ...]


def _executorch() -> Backend:
    from openautoglm.export.executorch import ExecuTorchBackend

    return ExecuTorchBackend()


def _litert() -> Backend:
    from openautoglm.export.litert import LiteRTBackend

    return LiteRTBackend()


def _onnx() -> Backend:
    from openautoglm.export.onnx import OnnxBackend

    return OnnxBackend()


# The quantizer is ExecuTorch's for all three, so that one checkpoint serves them all.
_TARGETS = {
    "executorch": _Target(_executorch, ("executorch",)),
    "litert": _Target(_litert, ("litert_torch", "ai_edge_litert", "executorch")),
    "onnx": _Target(_onnx, ("onnx", "onnxscript", "onnxruntime", "executorch")),
}


def get_backend(name: str) -> Backend:
    """The target of that name: ``"executorch"``, ``"litert"`` or ``"onnx"``."""
    if name not in _TARGETS:
        raise ValueError(f"no backend is called {name!r}; choose one of {', '.join(_TARGETS)}")
    for package in _TARGETS[name].packages:
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package.replace("_", "-"), "export")
    return _TARGETS[name].build()


def available() -> tuple[str, ...]:
    """Names of the targets whose packages are installed."""
    found = importlib.util.find_spec
    return tuple(name for name, target in _TARGETS.items() if all(found(p) is not None for p in target.packages))


def xnnpack_quantizer() -> Any:
    """INT8, symmetric, one scale a channel of the weights and one a tensor of activations, for training."""
    with quiet_stderr():
        from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
            XNNPACKQuantizer,
            get_symmetric_quantization_config,
        )
    quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True, is_qat=True))
    return quantizer.set_module_type(LocalEntropy, None)  # a logarithm has no integer kernel


def input_name(shape: Sequence[int]) -> str:
    """What a program is given: a picture has three channels, a map of a net more."""
    return INPUT if shape[1] == _COLOURS else GIVEN


def tensor_input(
    *, shape: tuple[int, ...], dtype: str, scale: float | None = None, zero_point: int | None = None
) -> dict[str, Any]:
    """Plain description of the picture or the map that a program takes."""
    if input_name(shape) == GIVEN:
        return tensor_output(name=GIVEN, shape=shape, dtype=dtype, scale=scale, zero_point=zero_point)
    return {
        "name": INPUT,
        "shape": list(shape),
        "layout": "NCHW",
        "dtype": dtype,
        "scale": scale,
        "zero_point": zero_point,
        "value_range": [0.0, 1.0],
        "colour_order": "RGB",
    }


def tensor_output(
    *, name: str, shape: tuple[int, ...], dtype: str, scale: float | None = None, zero_point: int | None = None
) -> dict[str, Any]:
    """Plain description of one tensor that a program returns."""
    return {"name": name, "shape": list(shape), "dtype": dtype, "scale": scale, "zero_point": zero_point}


def check_programs(programs: Mapping[str, ExportedInput]) -> None:
    """Refuse what would be exported wrongly without a word."""
    if not programs:
        raise ValueError("there is nothing to export: give at least one program")
    for name, program in programs.items():
        if len(set(program.outputs)) != len(program.outputs):
            raise ValueError(f"program {name!r} gives two outputs one name: {', '.join(program.outputs)}")
        if any(module.training for module in program.module.modules()):
            raise ValueError(f"program {name!r} is in training mode: call eval() on the model before exporting it")


@contextmanager
def quiet_export() -> Iterator[None]:
    """Hold back what exporters print about themselves; a failure prints it after all."""
    with quiet_stderr(), warnings.catch_warnings(), _shared_provenance(), _cuda_asked_once():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _shared_provenance() -> Iterator[None]:
    """Share torch's notes on where a node came from: nobody changes them, and copying them is a third of an export."""
    if hasattr(NodeSource, "__deepcopy__"):
        yield
        return
    NodeSource.__deepcopy__ = lambda self, _: self  # type: ignore[attr-defined]
    try:
        yield
    finally:
        del NodeSource.__deepcopy__  # type: ignore[attr-defined]


@contextmanager
def _cuda_asked_once() -> Iterator[None]:
    """Each operation of a traced graph asks for CUDA; under Lightning that loads a library, a seventh of an export."""
    ask, found = torch.cuda.is_available, torch.cuda.is_available()
    torch.cuda.is_available = lambda: found
    try:
        yield
    finally:
        torch.cuda.is_available = ask


class Named(nn.Module):
    """Gives a program's input and outputs their names.

    Args:
        module: picture to one tensor or a tuple of them.
        outputs: names, in order.
    """

    def __init__(self, module: nn.Module, outputs: Sequence[str]) -> None:
        super().__init__()
        self.module, self.outputs = module, tuple(outputs)
        self.eval()

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Image to name and tensor."""
        returned = self.module(image)
        tensors = (returned,) if isinstance(returned, Tensor) else tuple(returned)
        return dict(zip(self.outputs, tensors, strict=True))


class NamedFromMap(Named):
    """The same for a program that is given a map."""

    def forward(self, given: Tensor) -> dict[str, Tensor]:
        """Map to name and tensor."""
        return super().forward(given)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that nobody ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
