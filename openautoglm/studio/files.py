"""What a finished run has to hand out: these files and no others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from openautoglm.runtime.engines import SUFFIXES
from openautoglm.studio.refused import RefusedError

REPORT = "report.html"
_PLACES: Mapping[str, str] = {
    **{f"model.{suffix}": f"artifact/programs/model.{suffix}" for suffix in SUFFIXES.values()},
    **{f"model.glance.{suffix}": f"artifact/programs/model.glance.{suffix}" for suffix in SUFFIXES.values()},
    "manifest.json": "artifact/manifest.json",
    REPORT: REPORT,
}
_MEANING = {
    "model.pte": "ExecuTorch, for Android and iOS",
    "model.tflite": "LiteRT, for Android, iOS and small boards",
    "model.onnx": "ONNX Runtime, for desktops and browsers",
    **{f"model.glance.{suffix}": f"finds the hands that model.{suffix} names" for suffix in SUFFIXES.values()},
    "manifest.json": "inputs, outputs and labels of the three",
    REPORT: "figures, mistakes and labels to check",
}


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
    found = [(name, run / place) for name, place in _PLACES.items() if (run / place).is_file()]
    return [Handout(name=name, path=path, meaning=_MEANING[name], runtime=runtimes.get(name)) for name, path in found]


def handout(run: Path, name: str) -> Handout:
    """The one of that name."""
    found = [file for file in handouts(run) if file.name == name]
    if not found:
        raise RefusedError(f"There is no file {name} to download.", 404)
    return found[0]
