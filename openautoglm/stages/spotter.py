"""A run on crops that a spotter cut out: what is told of it, and the spotter's glance in the artifact.

With it the artifact recognises whole frames: the glance finds each hand, the look that was trained names it.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape

from openautoglm.data.contact import contact_sheet
from openautoglm.data.hands import CROP_MARGIN, crops_of
from openautoglm.runtime.engines import SUFFIXES
from openautoglm.runtime.methods import GLANCE, NEAR
from openautoglm.runtime.thresholds import Thresholds
from openautoglm.stages.evidence import FOLDER
from openautoglm.stages.run import Run
from openautoglm.types import WEIGHTS, Artifact

MISSING_FILE = "no_hand_found.txt"


@dataclass(frozen=True, kw_only=True)
class GlanceFile:
    """A program of a spotter on its way into an artifact.

    Attributes:
        name: in the artifact, such as ``"programs/model.glance.pte"``.
        source: where it lies.
        described: its entry in the manifest, with its glances alone.
    """

    name: str
    source: Path
    described: dict[str, Any]

    def copy_into(self, artifact: Path) -> None:
        """Copy it, and the weights that lie beside it."""
        shutil.copyfile(self.source, artifact / self.name)
        for file in self.described.get(WEIGHTS, ()):
            name = Path(file).name
            shutil.copyfile(self.source.with_name(name), artifact / "programs" / name)


def tell_crops(run: Run) -> None:
    """Say what was assumed of the pictures; name those without a hand and show crops in the run's folder."""
    note = getattr(run.source, "hands_note", None)
    if note:
        run.console.print(f"[dim]{escape(note)}[/]", soft_wrap=True)
    crops = crops_of(run.source)
    if crops is None:
        return
    if crops.missing:
        (run.folder / MISSING_FILE).write_text("".join(f"{name}\n" for name in crops.missing), encoding="utf-8")
    (run.folder / FOLDER).mkdir(exist_ok=True)
    contact_sheet(run.load("train")).save(run.folder / FOLDER / "crops.png")


def glance_files(spotter: Artifact, runtimes: Collection[str]) -> list[GlanceFile]:
    """The programs in which a spotter's glance lies, for some runtimes."""
    found = []
    for file, program in spotter.manifest["programs"].items():
        methods = {name: program["methods"][name] for name in (GLANCE, NEAR) if name in program["methods"]}
        if program["runtime"] in runtimes and methods:
            name = f"programs/model.{next(iter(methods))}.{SUFFIXES[program['runtime']]}"
            described = {**program, "methods": methods}
            found.append(GlanceFile(name=name, source=spotter.folder / file, described=described))
    return found


def with_glance(config: Mapping[str, Any], spotter: Artifact) -> dict[str, Any]:
    """config.json of a net of crops to which a spotter gives its glance.

    ``spotter`` names it. Its glance knows other gestures, so it has no say in a name; crops are cut as in training,
    which took the whole frame's hands alone. Its score to show hands from is that of another look's scores.
    """
    thresholds = {
        **asdict(Thresholds.from_config(spotter.config)),
        **(config.get("thresholds") or {}),
        "sure": None,
        "glance_weight": 0.0,
        "search": None,
        "show": None,
        "crop_margin": CROP_MARGIN,
    }
    return {**config, "spotter": spotter.manifest["name"], "thresholds": thresholds}
