"""The loop that carries a run from stage to stage, and what it enters into results.json on the way."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from rich.markup import escape

from openautoglm.bench.origin import collect_commit, collect_device, collect_versions
from openautoglm.bench.result import (
    DataResult,
    EpochResult,
    Results,
    StageResult,
    from_plain,
    to_plain,
    update_results,
    write_results,
)
from openautoglm.data.base import ImageSet, Split
from openautoglm.data.frames import FrameSet
from openautoglm.data.hands import crops_of
from openautoglm.stages.run import STRAYS, Outcome, Run, Stage
from openautoglm.stages.spotter import tell_crops
from openautoglm.train import clean
from openautoglm.zoo import store

DONE = "done.json"
_SPLITS: tuple[Split, ...] = ("train", "dev", "test")


def run_stages(run: Run, stages: Mapping[str, Stage]) -> Results:
    """Carry out the stages in order; those that are done are skipped.

    Args:
        run: what they share.
        stages: name to stage, in order; a None is left out.

    Returns:
        The content of ``results.json``.
    """
    started = time.perf_counter()
    earlier_seconds = _open_results(run)
    for name, stage in stages.items():
        if stage is None:
            continue
        done = run.stage_folder(name) / DONE
        if done.exists():
            run.console.print(f"[dim]{name:<10} done before[/]")
        else:
            _carry_out(run, name, stage, done)
        seconds = earlier_seconds + time.perf_counter() - started
        update_results(run.folder, lambda results: _set(results, seconds=round(seconds, 1)))  # noqa: B023
    return update_results(run.folder, lambda results: _set(results, status="complete"))


def _carry_out(run: Run, name: str, stage: Stage, done: Path) -> None:
    """One stage, from its start to its line on the console."""
    start = time.perf_counter()
    try:
        outcome = stage(run)
    except BaseException as error:
        status = f"{name}: {type(error).__name__}: {error}"
        update_results(run.folder, lambda results: _set(results, status="failed", error=status))
        raise
    seconds = round(time.perf_counter() - start, 1)
    _record(run, name, outcome, seconds)
    done.parent.mkdir(parents=True, exist_ok=True)
    store.write_json(done, {"seconds": seconds, "note": outcome.note})
    clean(done.parent)
    reused = " [dim](reused)[/]" if outcome.reused else ""
    note = escape(outcome.note).replace(STRAYS, f"[red]{STRAYS}[/]")
    run.console.print(f"[bold green]✓[/] {name:<10} {seconds:6.1f} s  {note}{reused}")


def _record(run: Run, name: str, outcome: Outcome, seconds: float) -> None:
    """Enter a stage's outcome into results.json."""
    curves = run.stage_folder(name) / "curves.json"

    def change(results: Results) -> Results:
        for model in outcome.models:
            results = results.with_model(model)
        if curves.exists():
            rows = json.loads(curves.read_text(encoding="utf-8"))
            known = EpochResult.__dataclass_fields__
            results = results.with_curve(
                name, tuple(EpochResult(**{key: row[key] for key in known if key in row}) for row in rows)
            )
        results = results.with_stage(StageResult(name=name, seconds=seconds, reused=outcome.reused, note=outcome.note))
        return _set(results, **outcome.facts)

    update_results(run.folder, change)


def _set(results: Results, **values: Any) -> Results:
    """A copy with fields given as plain data or dataclasses."""
    return from_plain({**to_plain(results), **{name: to_plain(value) for name, value in values.items()}})


def _open_results(run: Run) -> float:
    """Begin results.json or go on with it; returns the seconds spent before."""
    if (run.folder / "results.json").exists():
        results = update_results(run.folder, lambda results: _set(results, status="running", error=None))
        return results.seconds or 0.0
    run.folder.mkdir(parents=True, exist_ok=True)
    accelerator = str(run.settings.trainer.get("accelerator", "auto"))
    if accelerator == "auto":
        accelerator = "gpu" if torch.cuda.is_available() else "cpu"
    load: Callable[[Split], ImageSet | FrameSet] = run.load if run.frames is None else run.load_frames
    splits = {split: load(split) for split in _SPLITS}
    problems = tuple(dict.fromkeys(problem for found in splits.values() for problem in found.problems))
    crops = crops_of(run.source)
    data = DataResult(
        name=run.source.name,
        fingerprint="-".join(found.fingerprint[:12] for found in splits.values()),
        classes=splits["train"].classes,
        num_train=len(splits["train"]),
        num_dev=len(splits["dev"]) if run.holds_out("dev") else 0,
        num_test=len(splits["test"]) if run.holds_out("test") else 0,
        image_size=run.image_size,
        crops=None if crops is None else crops.sentence,
        problems=problems,
    )
    results = Results(
        recipe=run.recipe,
        command=run.command,
        seed=run.seed,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        data=data,
        versions=collect_versions(),
        device=collect_device(num_threads=torch.get_num_threads(), accelerator=accelerator),
        commit=collect_commit(),
    )
    write_results(run.folder / "results.json", results)
    tell_crops(run)
    for problem in problems[:5]:
        run.console.print(f"[yellow]![/] {escape(problem)}")
    if len(problems) > 5:
        run.console.print(f"[yellow]![/] and {len(problems) - 5} more, all in results.json")
    return 0.0
