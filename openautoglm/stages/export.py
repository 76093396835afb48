"""Export: the quantised student and its float original as one file a runtime."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.progress import track
from torch import nn

from openautoglm.artifacts import IntegerPrograms, load_model
from openautoglm.export.backend import ExportedInput, get_backend
from openautoglm.models import Exportable, Program
from openautoglm.stages.exported import FILES, FLOAT, all_files, kind_of
from openautoglm.stages.run import Outcome, Run
from openautoglm.zoo import store

_log = logging.getLogger(__name__)
DYNAMIC_TARGETS = ("executorch",)
"""Targets that take the ranges of activations at run time."""


@dataclass(frozen=True, kw_only=True)
class Export:
    """Writes ``export/int8.*`` from the quantised checkpoint and ``export/float.*`` from the float student.

    Attributes:
        backends: names of the targets.
    """

    backends: Sequence[str] = ("executorch", "litert", "onnx")

    def __call__(self, run: Run) -> Outcome:
        """Leave the files in ``export/``; ``files.json`` says which file holds which method."""
        folder = run.stage_folder("export")
        folder.mkdir(parents=True, exist_ok=True)
        quantized, original = IntegerPrograms(run.find_stage("quantize")), load_model(run.find_student())
        assert isinstance(original, Exportable)
        kind, programs = kind_of(quantized.spec), original.programs()
        floats = {method: program.module for method, program in programs.items()}
        files: dict[str, dict[str, str]] = {}
        sizes = []
        for name in track(
            targets_of(self.backends, is_dynamic=quantized.is_dynamic),
            description="export",
            console=run.console,
            transient=True,
            disable=not run.console.is_terminal,
        ):
            backend = get_backend(name)
            integers = quantized.modules(fold_quantize=backend.fold_quantize)
            size_kb = {}
            for stem, modules in ((kind, integers), (FLOAT, floats)):
                quantizes = stem != FLOAT and not quantized.computes_in_float
                path = folder / f"{stem}.{backend.suffix}"
                written = backend.export(inputs_of(modules, programs), path, quantized=quantizes)
                files[path.name] = {method: file.name for method, file in written.items()}
                size_kb[stem] = sum(file.stat().st_size for file in all_files(backend, written.values())) / 1e3
            sizes.append(f".{backend.suffix} {size_kb[kind]:.0f} of {size_kb[FLOAT]:.0f} KB")
        store.write_json(folder / FILES, files)
        return Outcome(note=", ".join(sizes))


def targets_of(backends: Sequence[str], *, is_dynamic: bool) -> list[str]:
    """Those of the targets that can hold such a program; the others are named in a warning.

    Raises:
        ValueError: none can.
    """
    found = [name for name in backends if not is_dynamic or name in DYNAMIC_TARGETS]
    if not found:
        raise ValueError(
            f"a net with dynamic ranges is exported to {', '.join(DYNAMIC_TARGETS)}, not to these backends"
        )
    if left_out := [name for name in backends if name not in found]:
        _log.warning("no program for %s: dynamic ranges have no form there", " or ".join(left_out))
    return found


def inputs_of(modules: Mapping[str, nn.Module], programs: Mapping[str, Program]) -> dict[str, ExportedInput]:
    """What a target is given: each method's module with its example and the names of its outputs."""
    return {
        method: ExportedInput(modules[method], program.example, program.outputs) for method, program in programs.items()
    }
