"""The files of ``export/``, opened: a program is one file or, where the format wants it, one file a method."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from openautoglm.artifacts import read_spec
from openautoglm.bench.result import Kind
from openautoglm.compress import dynamic, weight_only
from openautoglm.export.backend import Backend, get_backend
from openautoglm.export.census import Census, merge
from openautoglm.models.registry import Program
from openautoglm.runtime.engines import SUFFIXES, Engine, open_engine
from openautoglm.stages.run import Run
from openautoglm.types import WEIGHTS

FILES = "files.json"
"""In ``export/``: program to method to file."""
FLOAT: Kind = "float"


def kind_of(spec: Mapping[str, Any]) -> Kind:
    """What a program computes in that is made of a quantised artifact."""
    if spec["scheme"] == weight_only.SCHEME:
        return "weights"
    if spec["scheme"] == dynamic.SCHEME:
        return "dynamic"
    return "mixed" if spec.get("float_layers") else "int8"


@dataclass(frozen=True, kw_only=True)
class Exported:
    """One program in one format.

    Attributes:
        name: such as ``"int8.pte"``.
        kind: what its heavy operations are meant to compute in.
        backend: its target.
        paths: method to file.
        engines: method to the loaded program.
        outputs: method to the names of what it returns.
    """

    name: str
    kind: Kind
    backend: Backend
    paths: Mapping[str, Path]
    engines: Mapping[str, Engine]
    outputs: Mapping[str, tuple[str, ...]]

    @property
    def files(self) -> tuple[Path, ...]:
        """Each file with methods, once."""
        return tuple(dict.fromkeys(self.paths.values()))

    @property
    def all_files(self) -> tuple[Path, ...]:
        """These, and what they need beside them."""
        return all_files(self.backend, self.files)

    @property
    def num_bytes(self) -> int:
        """Of all its files."""
        return sum(path.stat().st_size for path in self.all_files)

    @property
    def shown(self) -> str:
        """Name in tables and in the artifact: what is quantised is the result."""
        return self.name if self.kind == FLOAT else shown(self.name)

    @property
    def twin(self) -> str:
        """Name of the float program of the same format."""
        return f"{FLOAT}.{self.backend.suffix}"

    @cached_property
    def census(self) -> Census:
        """What runs in it, all files together."""
        return merge([self.backend.census(path) for path in self.files])


def all_files(backend: Backend, programs: Iterable[Path]) -> tuple[Path, ...]:
    """Files with methods, and behind them what they need beside them, each once."""
    own = tuple(dict.fromkeys(programs))
    return (*own, *dict.fromkeys(file for path in own for file in backend.beside(path)))


def describe(backend: Backend, path: Path, outputs: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """A file's entry in the manifest."""
    entry = {"runtime": backend.name, "methods": backend.describe(path, outputs)}
    weights = [f"programs/{file.name}" for file in backend.beside(path)]
    return {**entry, WEIGHTS: weights} if weights else entry


def shown(file: str) -> str:
    """``int8.pte`` as ``model.pte``, ``int8.look.onnx`` as ``model.look.onnx``."""
    return f"model.{file.partition('.')[2]}"


def open_exported(run: Run, programs: Mapping[str, Program], *, num_threads: int) -> dict[str, Exported]:
    """Every program of ``export/``, INT8 before float of each format.

    Args:
        run: whose.
        programs: of the model.
        num_threads: of each runtime.

    Raises:
        ValueError: there is none.
    """
    folder = run.stage_folder("export")
    listed = json.loads((folder / FILES).read_text(encoding="utf-8")) if (folder / FILES).exists() else {}
    if not listed:
        raise ValueError(f"{folder} holds no exported file; run the stage export first")
    runtimes = {suffix: name for name, suffix in SUFFIXES.items()}
    outputs = {method: program.outputs for method, program in programs.items()}
    found = {}
    quantized = kind_of(read_spec(run.find_stage("quantize")))
    for name, methods in listed.items():
        stem, _, suffix = name.partition(".")
        kind = FLOAT if stem == FLOAT else quantized
        paths = {method: folder / file for method, file in methods.items()}
        engines = {
            method: open_engine(
                runtimes[suffix], path, method=method, output_names=outputs[method], num_threads=num_threads
            )
            for method, path in paths.items()
        }
        found[name] = Exported(
            name=name,
            kind=kind,
            backend=get_backend(runtimes[suffix]),
            paths=paths,
            engines=engines,
            outputs=outputs,
        )
    return found


def refuse_float(programs: Mapping[str, Exported]) -> None:
    """Raise if a program that is named INT8 computes a heavy operation in float."""
    for program in programs.values():
        if program.kind == "int8":
            refuse_float_operations(program.files[0], program.census)


def refuse_float_operations(path: Path, census: Census) -> None:
    """Raise unless every heavy operation of a program is in INT8."""
    if not census.is_int8:
        heavy = ", ".join(census.float_heavy) or "it has no convolution or linear layer at all"
        raise ValueError(f"{path} is not INT8, so it does not become an artifact; in float: {heavy}")
