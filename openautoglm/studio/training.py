"""Trainings of projects: one at a time, each a run like any other, found again after a reload or a restart."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from openautoglm.studio import processes
from openautoglm.studio.processes import Running
from openautoglm.studio.projects import Project, Projects
from openautoglm.studio.record import Record, read_record, write_record
from openautoglm.studio.refused import RefusedError
from openautoglm.studio.watch import LOG, Sight, last_words, look_at

State = Literal["none", "running", "complete", "cancelled", "stopped", "failed"]
MakeRun = Callable[[Path, int], Path]
"""Pictures and number of folds to the folder of a run that can be gone on with."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """How the latest training of a project stands.

    Attributes:
        state: ``"stopped"`` is a process that vanished, such as after a power cut.
        record: what was written down; None where nothing was trained.
        sight: how far the run is.
        error: one sentence, of a failed one.
        seconds_left: estimated; None while nothing can be said.
        is_current: whether the pictures are still those that it learns from.
        result: run whose files can be used, this one or an earlier one.
    """

    state: State
    record: Record | None = None
    sight: Sight = Sight()  # noqa: RUF009 - frozen
    error: str | None = None
    seconds_left: float | None = None
    is_current: bool = True
    result: Path | None = None

    @property
    def can_go_on(self) -> bool:
        """Whether the run can be gone on with: answers of finished folds are for the pictures as they were."""
        return self.state in ("cancelled", "stopped", "failed") and self.is_current


class Trainings:
    """Starts, watches and cancels.

    Args:
        projects: where the pictures are.
        make_run: makes a run that has not begun.
        command: what carries on a run, given its folder.
        num_folds: of a training that says how well it will do.
    """

    def __init__(
        self, *, projects: Projects, make_run: MakeRun, command: Callable[[Path], Sequence[str]], num_folds: int = 3
    ) -> None:
        self.projects = projects
        self._make_run, self._command, self._num_folds = make_run, command, num_folds
        self._starting = threading.Lock()

    def status(self, project: Project) -> Status:
        """Where the latest training of a project stands."""
        record = read_record(project)
        if record is None:
            return Status(state="none")
        run = Path(record.run)
        alive = processes.find(_process(record)) is not None
        sight = look_at(run)
        state = _state(record, sight, alive)
        finished = Path(record.finished) if record.finished else None
        return Status(
            state=state,
            record=record,
            sight=sight,
            error=last_words(run) if state == "failed" else None,
            seconds_left=_seconds_left(record, sight) if state == "running" else None,
            is_current=record.content == project.content(),
            result=run if sight.is_complete else finished,
        )

    def running(self) -> Project | None:
        """The project that is being trained."""
        for name in self.projects.names():
            project = self.projects.find(name)
            if self.status(project).state == "running":
                return project
        return None

    def start(self, project: Project, *, estimate: bool) -> None:
        """Begin a new training.

        Args:
            project: whose pictures.
            estimate: whether to find out how well it will do on new pictures, which takes some trainings more.

        Raises:
            RefusedError: pictures are missing or another training is under way.
        """
        with self._starting:
            self._refuse_second()
            if needs := project.needs():
                raise RefusedError(" ".join(needs), 409)
            earlier = self.status(project)
            run = self._make_run(project.folder, project.num_folds(self._num_folds) if estimate else 0)
            self._begin(project, run, started_at=0.0, finished=earlier.result)

    def go_on(self, project: Project) -> None:
        """Go on with a training that was cancelled or broke off.

        Raises:
            RefusedError: there is none, or its pictures have changed.
        """
        with self._starting:
            self._refuse_second()
            status = self.status(project)
            if status.record is None or not status.can_go_on:
                raise RefusedError("There is no training to go on with, or its pictures have changed: train anew.", 409)
            earlier = Path(status.record.finished) if status.record.finished else None
            self._begin(project, Path(status.record.run), started_at=status.sight.share, finished=earlier)

    def cancel(self, project: Project) -> None:
        """Stop the training of a project; it can be gone on with."""
        status = self.status(project)
        if status.record is None or status.state != "running":
            raise RefusedError("Nothing is being trained.", 409)
        write_record(project, replace(status.record, cancelled=True))
        processes.end(_process(status.record))

    def _begin(self, project: Project, run: Path, *, started_at: float, finished: Path | None) -> None:
        content, count = project.content(), sum(len(gesture.pictures) for gesture in project.gestures())
        process = processes.begin(self._command(run), log=run / LOG)
        record = Record(
            run=str(run),
            pid=process.pid,
            process_started=process.started,
            started=time.time(),
            started_at=started_at,
            content=content,
            num_pictures=count,
            finished=None if finished is None else str(finished),
        )
        write_record(project, record)

    def _refuse_second(self) -> None:
        busy = self.running()
        if busy is not None:
            raise RefusedError(f"{busy.name} is being trained: wait until it is done, or cancel it first.", 409)


def _process(record: Record) -> Running:
    return Running(pid=record.pid, started=record.process_started)


def _state(record: Record, sight: Sight, alive: bool) -> State:
    if sight.is_complete:  # whether or not its process has gone to bed
        return "complete"
    if alive:
        return "running"
    if record.cancelled:
        return "cancelled"
    # a training that is killed says nothing, one that gives up does
    return "failed" if sight.results is None or sight.results.status == "failed" else "stopped"


def _seconds_left(record: Record, sight: Sight) -> float | None:
    gained = sight.share - record.started_at
    if gained < 0.02:
        return None
    return (time.time() - record.started) * (1 - sight.share) / gained
