"""What a finished run has to hand out: these files and no others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from openautoglm.runtime.engines import SUFFIXES
from openautoglm.studio.refused import RefusedError

REPORT = "report.html"
_MEANING = {
    "model.pte": "ExecuTorch, for Android and iOS",
    "model.tflite": "LiteRT, for Android, iOS and small boards",
    "model.onnx": "ONNX Runtime, for desktops and browsers",
    **{f"model.glance.{suffix}": f"finds the hands that model.{suffix} names" for suffix in SUFFIXES.values()},
    **{f"model.near.{suffix}": "finds their boxes more exactly" for suffix in SUFFIXES.values()},
}
_WEIGHTS = "weights of the .onnx files that find hands, to lie beside them"
_MANIFEST = "inputs, outputs and labels of the three"
_FIGURES = "figures, mistakes and labels to check"


@dataclass(frozen=True, kw_only=True)
class Handout:
    """A file that can be downloaded.

    Attributes:
        name: as it lies in the run.
        path: where.
        meaning: what it is for.
        runtime: who can run it, None where it is no program.
    """

    name: str
    path: Path
    meaning: str
    runtime: str | None


def handouts(run: Path) -> list[Handout]:
    """Those that the run has."""
    runtimes = {f"model.{suffix}": runtime for runtime, suffix in SUFFIXES.items()}
    artifact = run / "artifact"
    programs = artifact / "programs"
    weights = [path.name for path in sorted(programs.glob("*.weights"))]
    places = [(programs / name, meaning) for name, meaning in (_MEANING | dict.fromkeys(weights, _WEIGHTS)).items()]
    places += [(artifact / "manifest.json", _MANIFEST), (run / REPORT, _FIGURES)]
    return [
        Handout(name=path.name, path=path, meaning=meaning, runtime=runtimes.get(path.name))
        for path, meaning in places
        if path.is_file()
    ]


def handout(run: Path, name: str) -> Handout:
    """The one of that name."""
    found = [file for file in handouts(run) if file.name == name]
    if not found:
        raise RefusedError(f"There is no file {name} to download.", 404)
    return found[0]
