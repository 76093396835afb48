"""Box: nets look for the hands of training frames that are known by a gesture alone; their boxes are left as a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from rich.progress import track

from openautoglm.data.box_search import BoxSearch
from openautoglm.data.contact import frame_sheet
from openautoglm.data.frames import Frame, FrameSet
from openautoglm.data.pseudo_boxes import write_boxes
from openautoglm.data.splits import align_frames
from openautoglm.runtime.engines import RuntimeName
from openautoglm.runtime.recognizer import Recognizer
from openautoglm.stages.evidence import FOLDER
from openautoglm.stages.run import Outcome, Run

FILE = "boxes.json"
SHEET = "boxes.png"
_MOST_SHOWN = 96


@dataclass(frozen=True, kw_only=True)
class Box:
    """Gives train's frames the boxes that several nets agree on; dev and test keep theirs.

    Attributes:
        spotters: released names or folders of nets that find hands.
        namers: the same of nets that name crops, or none.
        runtime: who runs them.
        least_votes: share of the glances that have to see a hand.
        likely: least probability of the frame's gesture for a hand where no box contradicts it.
        sure: the same where one does.
    """

    spotters: Sequence[str]
    namers: Sequence[str] = ()
    runtime: RuntimeName = "executorch"
    least_votes: float = 0.2
    likely: float = 0.6
    sure: float = 0.9

    def __call__(self, run: Run) -> Outcome:
        """Leave ``box/boxes.json`` for ``data.pseudo_boxes``, and a sheet of pictures."""
        search = BoxSearch(
            spotters=[Recognizer.from_pretrained(name, runtime=self.runtime) for name in self.spotters],
            namers=[Recognizer.from_pretrained(name, runtime=self.runtime) for name in self.namers],
            mirror=run.source.mirror,
            least_votes=self.least_votes,
            likely=self.likely,
            sure=self.sure,
        )
        frames = align_frames(run.load_frames("train"), search.classes)
        folder = run.stage_folder("box")
        folder.mkdir(parents=True, exist_ok=True)
        console = run.settings.console
        rows = track(
            range(0, len(frames), max(1, len(frames) // 64) if run.quick else 1),
            description="looking for hands",
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        found = {row: improved for row in rows if (improved := search.improve(frames.frame(row))) is not None}
        facts = {**asdict(self), "fingerprint": frames.fingerprint}
        write_boxes(folder / FILE, {frames.ids[row]: frame for row, frame in found.items()}, frames.classes, facts)
        if found:
            (run.folder / FOLDER).mkdir(exist_ok=True)
            frame_sheet(list(found.values())[:_MOST_SHOWN], frames.classes).save(run.folder / FOLDER / SHEET)
        return Outcome(note=_note(found, frames))


def _note(found: dict[int, Frame], frames: FrameSet) -> str:
    without = np.flatnonzero(frames.num_hands == 0)
    given = sum(row in found for row in without)
    return (
        f"{given} of {len(without)} training frames without a box got one, labels of {len(found) - given} others "
        f"changed; train with data.pseudo_boxes=RUN/box/{FILE}"
    )
