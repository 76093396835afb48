"""How far a run is, read from the files that it writes anyway."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openautoglm.bench.result import Results, read_results

_WEIGHTS = {"quantize": 1.5, "export": 0.4, "verify": 0.2, "report": 0.1}
"""Of the stages, in trainings: how long they take, roughly."""
_FOLD = re.compile(r"finetune/folds/fold_(\d+)")
LOG = "training.log"


@dataclass(frozen=True, kw_only=True)
class Sight:
    """A run as it is seen from outside.

    Attributes:
        stage: the one that is under way, None before the first and after the last.
        trainings: of ``progress.json``: name, title, step, num_steps, losses, top1s.
        share: of the whole run that is done, estimated.
        results: what has been measured so far, None before anything was.
        num_folds: trainings that find out how well it will do.
        is_complete: whether all that was to be done is done.
    """

    stage: str | None = None
    trainings: list[dict[str, Any]] = field(default_factory=list)
    share: float = 0.0
    results: Results | None = None
    num_folds: int = 0
    is_complete: bool = False

    @property
    def fold(self) -> int | None:
        """Number of the fold that is being trained, from 1; None outside the cross-validation."""
        found = _FOLD.match(self.trainings[-1]["name"]) if self.trainings and self.stage == "finetune" else None
        return int(found[1]) + 1 if found else None


def look_at(run: Path) -> Sight:
    """Read how far a run is; what is not there yet counts as nothing."""
    results = _results(run)
    config = _read(run / "run.json").get("config", {}).get("stages", {})
    stages = [name for name, settings in config.items() if settings is not None]
    trainings = _read(run / "progress.json").get("trainings", [])
    done = {stage.name for stage in results.stages} if results else set()
    coming = [name for name in stages if name not in done]
    if not coming:
        return Sight(trainings=trainings, share=float(bool(stages)), results=results, is_complete=bool(stages))
    num_folds = (config.get("finetune") or {}).get("num_folds") or 0
    weights = {name: _WEIGHTS.get(name, 1.0) for name in stages}
    if "finetune" in weights:
        weights["finetune"] = _num_trainings(num_folds, trainings)
    passed = sum(weights[name] for name in stages if name in done)
    passed += min(weights[coming[0]], _steps_done(coming[0], trainings))
    return Sight(
        stage=coming[0],
        trainings=trainings,
        share=passed / sum(weights.values()),
        results=results,
        num_folds=num_folds,
    )


def last_words(run: Path) -> str:
    """Why a training ended, in one sentence."""
    log = run / LOG
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else []
    said = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    if said:
        return said[-1][:500]
    return f"The training broke off; what it said stands in {log}."


def _num_trainings(num_folds: int, trainings: list[dict[str, Any]]) -> float:
    """Folds and the last one, twice as many beside a teacher."""
    pairs = 2 if any(training["name"].endswith("/teacher") for training in trainings) else 1
    return float(pairs * (num_folds + 1))


def _steps_done(stage: str, trainings: list[dict[str, Any]]) -> float:
    own = [training for training in trainings if training["name"].split("/")[0] == stage]
    return float(sum(training["step"] / max(1, training["num_steps"]) for training in own))


def _results(run: Path) -> Results | None:
    try:
        return read_results(run)
    except ValueError:
        return None


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
