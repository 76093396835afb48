"""Export: the quantised student and its float original as one file a runtime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.progress import track

from openautoglm.api import load_model, load_qat
from openautoglm.compress.pt2e import convert
from openautoglm.export.backend import ExportedInput, get_backend
from openautoglm.models import Exportable, create_model
from openautoglm.stages.run import Outcome, Run

METHOD = "look"
"""Name of the method that names a crop."""


@dataclass(frozen=True, kw_only=True)
class Export:
    """Writes ``export/int8.*`` from the quantised checkpoint and ``export/float.*`` from the distilled one.

    Attributes:
        backends: names of the targets.
    """

    backends: Sequence[str] = ("executorch", "litert", "onnx")

    def __call__(self, run: Run) -> Outcome:
        """Leave the files in ``export/``."""
        folder = run.stage_folder("export")
        folder.mkdir(parents=True, exist_ok=True)
        quantized = run.find_stage("quantize")
        traced = traced_program(quantized.config)
        original = replace(traced, module=load_model(run.find_stage("distill")))
        qat = load_qat(quantized)
        sizes = []
        for name in track(
            self.backends,
            description="export",
            console=run.console,
            transient=True,
            disable=not run.console.is_terminal,
        ):
            backend = get_backend(name)
            integers = replace(traced, module=convert(qat, fold_quantize=backend.fold_quantize))
            paths = [folder / f"{kind}.{backend.suffix}" for kind in ("int8", "float")]
            backend.export({METHOD: integers}, paths[0], quantized=True)
            backend.export({METHOD: original}, paths[1], quantized=False)
            small, large = (path.stat().st_size / 1e3 for path in paths)
            sizes.append(f".{backend.suffix} {small:.0f} of {large:.0f} KB")
        return Outcome(note=", ".join(sizes))


def traced_program(config: dict[str, Any]) -> ExportedInput:
    """A fresh model of a config.json and the input its program is traced by."""
    model = create_model(config["architecture"], **config["arguments"])
    assert isinstance(model, Exportable)
    program = model.programs()[METHOD]
    return ExportedInput(module=program.module, example=program.example)
