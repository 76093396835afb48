"""Export: the quantised student and its float original as one file a runtime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.progress import track

from openautoglm.artifacts import load_model, load_qat
from openautoglm.compress.pt2e import convert_programs
from openautoglm.export.backend import ExportedInput, get_backend
from openautoglm.models import Exportable
from openautoglm.stages.run import Outcome, Run
from openautoglm.zoo import store

FILES = "files.json"
"""In ``export/``: program to method to file."""


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
        quantized, original = run.find_stage("quantize"), load_model(run.find_stage(run.student_stage))
        assert isinstance(original, Exportable)
        programs, qat = original.programs(), load_qat(quantized)
        files: dict[str, dict[str, str]] = {}
        sizes = []
        for name in track(
            self.backends,
            description="export",
            console=run.console,
            transient=True,
            disable=not run.console.is_terminal,
        ):
            backend = get_backend(name)
            integers = convert_programs(qat, programs, fold_quantize=backend.fold_quantize)
            for kind, modules in (("int8", integers), ("float", {key: p.module for key, p in programs.items()})):
                inputs = {
                    method: ExportedInput(modules[method], program.example, program.outputs)
                    for method, program in programs.items()
                }
                written = backend.export(inputs, folder / f"{kind}.{backend.suffix}", quantized=kind == "int8")
                files[f"{kind}.{backend.suffix}"] = {method: path.name for method, path in written.items()}
            small, large = (
                sum((folder / file).stat().st_size for file in set(files[f"{kind}.{backend.suffix}"].values())) / 1e3
                for kind in ("int8", "float")
            )
            sizes.append(f".{backend.suffix} {small:.0f} of {large:.0f} KB")
        store.write_json(folder / FILES, files)
        return Outcome(note=", ".join(sizes))
