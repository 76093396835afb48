"""``-m``: a run for each combination of values, then one table over all of them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from openautoglm.bench.result import Results, read_results
from openautoglm.cli.errors import OK
from openautoglm.cli.launch import PROGRAM, Launch, Progress, describe, new_launch, old_launch, start
from openautoglm.cli.overrides import Job, Options, spread
from openautoglm.cli.resume import RUN_FILE, SWEEP_FILE, new_folder, read_json
from openautoglm.report.sweeps import SweepRow, summarize_sweep, sweep_row, sweep_table
from openautoglm.zoo.store import write_json


def run_sweep(options: Options, overrides: Sequence[str], folder: Path | None, progress: Progress) -> int:
    """Run what is not finished yet, print the table, write ``sweep.json``.

    Args:
        options: the command line.
        overrides: its settings without ``resume=``.
        folder: of a sweep to go on with, None to start one.
        progress: told the folder of the sweep.
    """
    typed = dict(zip(options.overrides, options.typed, strict=True))
    command = shlex.join([*PROGRAM.split(), "-m", *(typed[word] for word in overrides)])
    if folder is not None:
        stored = _stored(folder)
        jobs = [Job(tuple(job["overrides"]), job["setting"], job["seed"]) for job in stored["jobs"]]
        if overrides and [job.overrides for job in spread(overrides)] != [job.overrides for job in jobs]:
            was = f"that sweep was  {stored['command']}"
            raise ValueError(f"resume={folder}: {was}  - go on with  resume={folder}  alone")
        command, created = stored["command"], stored["created"]
    else:
        jobs, created = spread(overrides), datetime.now().astimezone().isoformat(timespec="seconds")
    # All are composed and bound before the first one starts: a typing error costs no hours.
    launches = [_launch(job, folder / str(number) if folder else None, typed) for number, job in enumerate(jobs)]
    if options.show_config:
        print("\n---\n".join(describe(launch.run.config) for launch in launches))
        return OK
    place = folder or new_folder("+".join(dict.fromkeys(launch.run.recipe for launch in launches)))
    progress.folder = place
    content = {"command": command, "created": created, "jobs": [asdict(job) for job in jobs]}
    write_json(place / SWEEP_FILE, {**content, "status": "running"})
    console = Console()
    for number, (job, launch) in enumerate(zip(jobs, launches, strict=True)):
        apart = [job.setting, "" if job.seed is None else f"seed={job.seed}"]
        title = f"run {number + 1} of {len(jobs)}: {' '.join(filter(None, apart))}".rstrip(" :")
        console.print(f"\n[bold]{escape(title)}[/bold]", highlight=False)
        start(launch, progress, place / str(number))
    _finish(place, jobs, launches, content, console)
    return OK


def _launch(job: Job, folder: Path | None, typed: dict[str, str]) -> Launch:
    if folder is not None and (folder / RUN_FILE).exists():
        return old_launch(folder, job.overrides)
    return new_launch(job.overrides, typed)


def _stored(folder: Path) -> dict[str, Any]:
    if not (folder / SWEEP_FILE).exists():
        raise ValueError(f"resume={folder} is a single run: leave out -m")
    content = read_json(folder / SWEEP_FILE)
    if not {"command", "created", "jobs"} <= content.keys():
        raise ValueError(f"{folder / SWEEP_FILE} is not what a sweep leaves there; start the sweep again")
    return content


def _finish(
    folder: Path, jobs: Sequence[Job], launches: Sequence[Launch], content: dict[str, Any], console: Console
) -> None:
    results = [read_results(folder / str(number)) for number in range(len(jobs))]
    rows = sweep_rows(jobs, [launch.run.config["seed"] for launch in launches], results)
    runs = [
        {
            **asdict(job),
            "folder": str(number),
            "top1": {model.name: model.top1 for model in result.models},
        }
        for number, (job, result) in enumerate(zip(jobs, results, strict=True))
    ]
    table = [asdict(summary) for summary in summarize_sweep(rows)]
    write_json(folder / SWEEP_FILE, {**content, "status": "complete", "jobs": runs, "table": table})
    console.print()
    console.print(sweep_table(rows))
    console.print(f"\n{folder / SWEEP_FILE}", highlight=False, soft_wrap=True)


def sweep_rows(jobs: Sequence[Job], seeds: Sequence[int], results: Sequence[Results]) -> list[SweepRow]:
    """What the table compares: the settings, or, where only the seed varies, the models of a run.

    The student that had no teacher comes first: it is what the others are measured by.
    """
    if len({job.setting for job in jobs}) > 1:
        triples = zip(jobs, seeds, results, strict=True)
        return [_with_seed(sweep_row(result, variant=job.setting), seed) for job, seed, result in triples]
    rows = [
        SweepRow(model.name, seed, model.top1, model.size_kb, model.latency_ms.median if model.latency_ms else None)
        for seed, result in zip(seeds, results, strict=True)
        for model in result.models
        if model.runtime == "eager" or model.kind != "float"
    ]
    return sorted(rows, key=lambda row: row.variant != "student alone")


def _with_seed(row: SweepRow, seed: int) -> SweepRow:
    return SweepRow(row.variant, seed, row.top1, row.size_kb, row.latency_ms)
