"""Fills the rows of a split on disk; also the program of a rendering process: ``python -m … '<job as JSON>'``.

A process of its own rather than multiprocessing, so that notebooks and scripts without a main guard work.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openautoglm.data.frames import NUM_LANDMARKS
from openautoglm.data.synthetic.frame import MOST_HANDS, FrameSettings, frame_sizes, render_frame
from openautoglm.data.synthetic.pictures import PictureSettings, render_row

Settings = PictureSettings | FrameSettings
Files = Mapping[str, NDArray[Any]]
REPORT_EVERY = 25
_KINDS: dict[str, type[Settings]] = {kind.__name__: kind for kind in (PictureSettings, FrameSettings)}


def layout(settings: Settings, num_rows: int) -> dict[str, tuple[tuple[int, ...], str]]:
    """Every file of a split: its shape and type. Frames differ in size, so their pixels stand in one long row."""
    if isinstance(settings, PictureSettings):
        return {
            "images": ((num_rows, settings.image_size, settings.image_size, 3), "uint8"),
            "labels": ((num_rows,), "int64"),
            "boxes_px": ((num_rows, 4), "float32"),
            "landmarks_px": ((num_rows, NUM_LANDMARKS, 2), "float32"),
            "is_right": ((num_rows,), "bool"),
            "persons": ((num_rows,), "int64"),
        }
    num_pixels = int(frame_sizes(settings, num_rows).prod(axis=1).sum())
    return {
        "images": ((3 * num_pixels,), "uint8"),
        "num_hands": ((num_rows,), "int64"),
        "labels": ((num_rows, MOST_HANDS), "int64"),
        "boxes_px": ((num_rows, MOST_HANDS, 4), "float32"),
        "landmarks_px": ((num_rows, MOST_HANDS, NUM_LANDMARKS, 2), "float32"),
    }


@dataclass(frozen=True)
class Job:
    """Rows ``first``, ``first + step``, … of a split with ``num_rows``, to be written into the files of ``folder``."""

    settings: Settings
    folder: str
    num_rows: int
    first: int
    step: int

    def to_json(self) -> str:
        """For the command line of a process."""
        return json.dumps({**asdict(self), "kind": type(self.settings).__name__})

    @classmethod
    def from_json(cls, text: str) -> Job:
        """The opposite of ``to_json``."""
        fields = json.loads(text)
        kind, settings = _KINDS[fields.pop("kind")], fields.pop("settings")
        settings["classes"] = tuple(settings["classes"])
        return cls(settings=kind(**settings), **fields)


def render_rows(job: Job, report: Callable[[int], None]) -> None:
    """Render the rows of a job; ``report`` is told how many more are done now and then."""
    names = layout(job.settings, job.num_rows)
    files = {name: np.lib.format.open_memmap(Path(job.folder) / f"{name}.npy", mode="r+") for name in names}
    write = (
        _picture_writer(job.settings)
        if isinstance(job.settings, PictureSettings)
        else _frame_writer(job.settings, job.num_rows)
    )
    pending = 0
    for index in range(job.first, job.num_rows, job.step):
        write(files, index)
        pending += 1
        if pending == REPORT_EVERY:
            report(pending)
            pending = 0
    for file in files.values():
        file.flush()
    report(pending)


def _picture_writer(settings: PictureSettings) -> Callable[[Files, int], None]:
    def write(files: Files, index: int) -> None:
        row = render_row(settings, index)
        files["images"][index] = row.picture.image
        files["labels"][index] = row.label
        files["boxes_px"][index] = row.picture.box_px
        files["landmarks_px"][index] = row.picture.landmarks_px
        files["is_right"][index] = row.picture.is_right
        files["persons"][index] = row.person

    return write


def _frame_writer(settings: FrameSettings, num_rows: int) -> Callable[[Files, int], None]:
    sizes = frame_sizes(settings, num_rows)
    starts = np.r_[0, np.cumsum(3 * sizes.prod(axis=1))]

    def write(files: Files, index: int) -> None:
        height, width = (int(side) for side in sizes[index])
        scene = render_frame(settings, index, (height, width))
        files["images"][starts[index] : starts[index + 1]] = scene.image.reshape(-1)
        files["num_hands"][index] = len(scene.hands)
        for number, hand in enumerate(scene.hands):
            files["labels"][index, number] = hand.label
            files["boxes_px"][index, number] = hand.box_px
            files["landmarks_px"][index, number] = hand.landmarks_px

    return write


def main() -> None:
    """Render one job; print how far it is, line by line, for the parent."""
    # Ctrl-C reaches the whole group: the parent ends its processes itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    render_rows(Job.from_json(sys.argv[1]), lambda count: print(count, flush=True))


if __name__ == "__main__":
    main()
