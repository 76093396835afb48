"""What is written down about a project's training, so that a reload or a restart finds it again."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from openautoglm.bench.plain import build
from openautoglm.studio.projects import Project
from openautoglm.zoo.store import write_json

_FILE = ".training.json"
"""Hidden, so ``data=folder`` passes it over."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """The latest training of a project.

    Attributes:
        run: folder of the run.
        pid: of the process that trains.
        process_started: when it began, for a number is given to another process in time.
        started: when it began, seconds since 1970.
        started_at: share of the run that was done then; above 0 after a break.
        content: of the project's pictures, see ``Project.content``.
        num_pictures: it learns from.
        finished: an earlier run that is complete, which can be used in the meantime.
        cancelled: whether a person stopped it.
    """

    run: str
    pid: int
    process_started: float
    started: float
    content: str
    num_pictures: int
    started_at: float = 0.0
    finished: str | None = None
    cancelled: bool = False


def read_record(project: Project) -> Record | None:
    """The record of a project; None where nothing was trained yet or the file is broken."""
    try:
        plain = json.loads((project.folder / _FILE).read_text(encoding="utf-8"))
        record: Record = build(Record, plain)
    except (OSError, ValueError):
        return None
    return record


def write_record(project: Project, record: Record) -> None:
    """Replace the record of a project."""
    write_json(project.folder / _FILE, asdict(record))
