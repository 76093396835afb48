"""Programs for an artifact that has none yet, such as one that ``Quantizer`` saved: ``scripts/export.py``."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from openautoglm.artifacts import IntegerPrograms, load_model
from openautoglm.bench.result import Kind
from openautoglm.export.backend import Backend, get_backend
from openautoglm.export.census import Census, merge
from openautoglm.models import Exportable, Program
from openautoglm.stages.export import inputs_of, targets_of
from openautoglm.stages.exported import FLOAT, all_files, describe, kind_of, refuse_float_operations
from openautoglm.stages.spotter import GlanceFile, glance_files
from openautoglm.types import WEIGHTS, Artifact
from openautoglm.zoo import store

RESIZE = "pad to a square with grey 128, then resize with antialiasing"


@dataclass(frozen=True, kw_only=True)
class ProgramFacts:
    """One exported program.

    Attributes:
        runtime: who runs it.
        files: their names in ``programs/``, with what they need beside them.
        kind: what it computes in.
        size_kb: of its files.
        num_int8: convolutions and linear layers in INT8.
        num_float: those in float.
        num_partitions: pieces given to the runtime's fast kernels, where the format has such.
    """

    runtime: str
    files: tuple[str, ...]
    kind: Kind
    size_kb: float
    num_int8: int
    num_float: int
    num_partitions: int


@dataclass(frozen=True, kw_only=True)
class _Source:
    """What is exported, whatever the artifact holds."""

    kind: Kind
    programs: Mapping[str, Program]
    integers: IntegerPrograms | None

    def modules(self, backend: Backend) -> Mapping[str, nn.Module]:
        if self.integers is not None:
            return self.integers.modules(fold_quantize=backend.fold_quantize)
        return {method: program.module for method, program in self.programs.items()}


def export_artifact(
    name_or_folder: str | Path, *, backends: Sequence[str], out: str | Path | None = None
) -> tuple[Artifact, tuple[ProgramFacts, ...]]:
    """Write an artifact's programs; it can then be recognised with, and shipped.

    Args:
        name_or_folder: a released name, an artifact's folder or a run's folder; float or quantised.
        backends: names of the targets.
        out: folder of the artifact that gets them; the artifact's own unless given.

    Raises:
        ValueError: there is no such artifact, it is not one's own and ``out`` is not given, or an INT8 program would
            compute in float.
    """
    artifact = store.find(name_or_folder)
    folder = artifact.folder if out is None else Path(out).expanduser()
    if out is None and not store.is_own(artifact):
        raise ValueError(f"{name_or_folder} is shared by all that use it, and so left as it is: give out=FOLDER")
    source = _open(artifact)
    targets = targets_of(backends, is_dynamic=source.integers is not None and source.integers.is_dynamic)
    facts: list[ProgramFacts] = []

    def write(fresh: Path) -> None:
        for name in ("config.json", "model.safetensors", "quantization.json", "README.md"):
            if (artifact.folder / name).exists():
                shutil.copyfile(artifact.folder / name, fresh / name)
        if (artifact.folder / "programs").is_dir():
            shutil.copytree(artifact.folder / "programs", fresh / "programs")
        (fresh / "programs").mkdir(exist_ok=True)
        for name in targets:
            found, described = _write(source, get_backend(name), fresh / "programs")
            facts.append(found)
            manifest["programs"] |= described
        for glance in _glances(artifact, targets):
            glance.copy_into(fresh)
            manifest["programs"][glance.name] = glance.described
        named = {file for program in manifest["programs"].values() for file in program.get(WEIGHTS, ())}
        for path in (fresh / "programs").glob("*.weights"):  # of the programs that these replace
            if f"programs/{path.name}" not in named:
                path.unlink()

    manifest: dict[str, Any] = {k: v for k, v in artifact.manifest.items() if k not in ("files", "format")}
    manifest = {"labels": list(artifact.config["classes"]), "resize": RESIZE, **manifest}
    manifest["programs"] = dict(manifest.get("programs") or {})
    return store.build(folder, write, manifest), tuple(facts)


def _glances(artifact: Artifact, runtimes: Sequence[str]) -> list[GlanceFile]:
    """What the spotter of an artifact adds for these runtimes; nothing where the artifact has none."""
    name = artifact.config.get("spotter")
    return [] if name is None else glance_files(store.find(name), runtimes)


def _open(artifact: Artifact) -> _Source:
    if artifact.is_quantized:
        integers = IntegerPrograms(artifact)
        return _Source(kind=kind_of(integers.spec), programs=integers.programs, integers=integers)
    model = load_model(artifact)
    if not isinstance(model, Exportable):
        raise ValueError(f"{artifact.config['architecture']} teaches and is not exported; choose a registered net")
    return _Source(kind=FLOAT, programs=model.programs(), integers=None)


def _write(source: _Source, backend: Backend, folder: Path) -> tuple[ProgramFacts, dict[str, Any]]:
    """One target's files, what they are, and how the manifest describes them."""
    quantizes = source.integers is not None and not source.integers.computes_in_float
    path = folder / f"model.{backend.suffix}"
    written = backend.export(inputs_of(source.modules(backend), source.programs), path, quantized=quantizes)
    files = tuple(dict.fromkeys(written.values()))
    census = merge([backend.census(file) for file in files])
    every = all_files(backend, files)
    if source.kind == "int8":
        refuse_float_operations(files[0], census)
    outputs = {method: program.outputs for method, program in source.programs.items()}
    described = {f"programs/{file.name}": describe(backend, file, outputs) for file in files}
    return _facts(source.kind, backend, every, census), described


def _facts(kind: Kind, backend: Backend, files: Sequence[Path], census: Census) -> ProgramFacts:
    return ProgramFacts(
        runtime=backend.name,
        files=tuple(file.name for file in files),
        kind=kind,
        size_kb=sum(file.stat().st_size for file in files) / 1e3,
        num_int8=census.num_int8_heavy,
        num_float=len(census.float_heavy),
        num_partitions=census.num_partitions,
    )
