"""Plays a training of the studio: ``python player.py RUN``; the run's file ``play`` says how it ends.

Standard library only, so that it starts at once. ``play`` holds ``complete``, ``fail`` or, until somebody writes into
it, nothing.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path

STAGES = ("finetune", "quantize", "export", "verify", "report")


def main(run: Path) -> int:
    losses = [[step, 1 / step] for step in range(1, 7)]
    name = {"name": "finetune/folds/fold_0", "title": "fold 1", "step": 6, "num_steps": 12}
    write(run / "progress.json", {"trainings": [{**name, "losses": losses, "top1s": [[6, 0.5]]}]})
    write(run / "results.json", {"recipe": "finetune_int8", "status": "running"})
    end = time.monotonic() + 60
    while not (how := (run / "play").read_text().strip()):
        if time.monotonic() > end:
            return 3
        time.sleep(0.05)
    if how == "fail":
        print("error: the disk is made of cheese")
        write(run / "results.json", {"recipe": "finetune_int8", "status": "failed"})
        return 2
    shutil.copytree(how, run / "artifact")
    (run / "report.html").write_text("<h1>report</h1>")
    write(run / "results.json", results())
    return 0


def results() -> dict:
    estimate = {"top1": 0.9, "ci95": [0.75, 0.97], "num_samples": 10, "num_folds": 2, "temperature": 1.0}
    return {
        "recipe": "finetune_int8",
        "status": "complete",
        "seconds": 12.0,
        "data": {"name": "folder", "classes": ["fist", "手 掌"]},
        "stages": [{"name": name} for name in STAGES],
        "models": [{"name": "model.tflite", "kind": "int8", "runtime": "litert", "latency_ms": {"median": 0.25}}],
        "estimate": estimate,
    }


def write(path: Path, content: dict) -> None:
    fresh = path.with_suffix(".part")
    fresh.write_text(json.dumps(content))
    fresh.replace(path)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
