"""Fills the rows of a split on disk; also the program of a rendering process: ``python -m … '<job as JSON>'``.

A process of its own rather than multiprocessing, so that notebooks and scripts without a main guard work.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from openautoglm.data.synthetic.pictures import PictureSettings, render_row

REPORT_EVERY = 25


@dataclass(frozen=True)
class Columns:
    """Files of a split: name to shape of one row and type."""

    image_size: int

    def layout(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """Every file that a rendered row writes to."""
        return {
            "images": ((self.image_size, self.image_size, 3), "uint8"),
            "labels": ((), "int64"),
            "boxes_px": ((4,), "float32"),
            "landmarks_px": ((21, 2), "float32"),
            "is_right": ((), "bool"),
            "persons": ((), "int64"),
        }


@dataclass(frozen=True)
class Job:
    """Rows ``first``, ``first + step``, … of a split with ``num_rows``, to be written into the files of ``folder``."""

    settings: PictureSettings
    folder: str
    num_rows: int
    first: int
    step: int

    def to_json(self) -> str:
        """For the command line of a process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Job:
        """The opposite of ``to_json``."""
        fields = json.loads(text)
        settings = fields.pop("settings")
        settings["classes"] = tuple(settings["classes"])
        return cls(settings=PictureSettings(**settings), **fields)


def render_rows(job: Job, report: Callable[[int], None]) -> None:
    """Render the rows of a job; ``report`` is told how many more are done now and then."""
    layout = Columns(job.settings.image_size).layout()
    files = {name: np.lib.format.open_memmap(Path(job.folder) / f"{name}.npy", mode="r+") for name in layout}
    pending = 0
    for index in range(job.first, job.num_rows, job.step):
        row = render_row(job.settings, index)
        files["images"][index] = row.picture.image
        files["labels"][index] = row.label
        files["boxes_px"][index] = row.picture.box_px
        files["landmarks_px"][index] = row.picture.landmarks_px
        files["is_right"][index] = row.picture.is_right
        files["persons"][index] = row.person
        pending += 1
        if pending == REPORT_EVERY:
            report(pending)
            pending = 0
    for file in files.values():
        file.flush()
    report(pending)


def main() -> None:
    """Render one job; print how far it is, line by line, for the parent."""
    # Ctrl-C reaches the whole group: the parent ends its processes itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    render_rows(Job.from_json(sys.argv[1]), lambda count: print(count, flush=True))


if __name__ == "__main__":
    main()
