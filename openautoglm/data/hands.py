"""Pictures that show more than a hand: a spotter finds it, and the crop round it is what is learnt.

The crop is cut as a ``Recognizer`` cuts it that finds hands by the same spotter: what is trained on is what comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from openautoglm.data.cache import cached_arrays, content_key, open_array
from openautoglm.data.images import DECODE_VERSION, load_bounded
from openautoglm.progress import progress_bar
from openautoglm.runtime.engines import RuntimeName
from openautoglm.runtime.geometry import square_crop
from openautoglm.runtime.methods import GLANCE
from openautoglm.runtime.pixels import as_input
from openautoglm.runtime.recognizer import Recognizer
from openautoglm.types import Artifact, Hand
from openautoglm.zoo import store

FindHands = Literal["auto", "always", "never"]
SPOTTER = "openautoglm-small"
CROP_MARGIN = 0.0
"""Added on every side of a crop: ``openautoglm-small-crops``, trained on tight ones, names 92 % of the hands found in
144 frames of HaGRID's val right at 0, 94 % at 0.05, 90 % at 0.1 and 81 % at 0.15."""
NO_HAND = "no hand was found in it"
_LONGEST_PX = 1280
_NUM_TRIED = 64
_LARGE = 0.6
"""Part of a picture's longer side from which a hand's box fills it."""
_RUNTIMES: tuple[RuntimeName, ...] = ("onnx", "litert", "executorch")
"""ExecuTorch last: its number of threads is the whole process's."""


@dataclass(frozen=True, kw_only=True)
class HandCrops:
    """How the pictures of a data set became crops of hands.

    Attributes:
        spotter: released name or folder of the net that found the hands.
        num_pictures: that could be read.
        missing: names of those in which no hand was found; they are left out.
    """

    spotter: str
    num_pictures: int
    missing: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What was done, for people."""
        num_found = self.num_pictures - len(self.missing)
        text = f"{Path(self.spotter).name} cut the hand out of {num_found:,} of {self.num_pictures:,} pictures"
        return text + (f", found none in {len(self.missing):,}, which are left out" if self.missing else "")


@runtime_checkable
class FindsHands(Protocol):
    """A source that crops its pictures where they show more than a hand."""

    def hand_crops(self) -> HandCrops | None:
        """How the pictures became crops; None where they are taken as they are."""
        ...


def crops_of(source: object) -> HandCrops | None:
    """How the pictures of a source became crops; None where they are taken as they are."""
    return source.hand_crops() if isinstance(source, FindsHands) else None


class HandFinder:
    """Finds the hand that a picture is about: the one with the best score.

    Where several are found in a frame of HaGRID's val, that is the hand with the gesture in 94 %, the largest in 28 %.

    Args:
        spotter: released name, or folder of an artifact or a run that finds hands.

    Attributes:
        key: hash of everything that decides what is found.
    """

    def __init__(self, spotter: str) -> None:
        self._artifact = store.find(spotter)
        self._runtime = _runtime_of(self._artifact)
        files = sorted((name, entry["sha256"]) for name, entry in self._artifact.manifest["files"].items())
        self.key = content_key(DECODE_VERSION, _LONGEST_PX, CROP_MARGIN, self._runtime, files)

    def crop(self, source: bytes | Path, image_size: int) -> NDArray[np.uint8]:
        """The hand of a picture, ``(image_size, image_size, 3)`` RGB.

        Raises:
            ValueError: with the reason, when the picture cannot be decoded or shows no hand.
        """
        frame = load_bounded(source, _LONGEST_PX)
        hand = self._best(frame)
        if hand is None:
            raise ValueError(NO_HAND)
        height, width = frame.shape[:2]
        placement = square_crop(hand.box_px, width, height, size=image_size, margin=CROP_MARGIN)
        seen = as_input(Image.fromarray(frame), placement)[0].transpose(1, 2, 0)
        pixels: NDArray[np.uint8] = np.rint(seen * 255).astype(np.uint8)
        return pixels

    def share(self, source: bytes | Path) -> float:
        """Longer side of the hand's box as a part of the picture's; NaN where no hand is found or nothing is read."""
        try:
            frame = load_bounded(source, _LONGEST_PX)
        except ValueError:
            return float("nan")
        hand = self._best(frame)
        if hand is None:
            return float("nan")
        x0, y0, x1, y1 = hand.box_px
        return float(max(x1 - x0, y1 - y0) / max(frame.shape[:2]))

    def _best(self, frame: NDArray[np.uint8]) -> Hand | None:
        hands = self._recognizer.recognize(frame)
        return hands[0] if hands else None

    @cached_property
    def _recognizer(self) -> Recognizer:
        return Recognizer.from_pretrained(self._artifact.folder, runtime=self._runtime, search=False)


def show_more_than_hands(finder: HandFinder, pictures: Sequence[Path], contents: Sequence[str]) -> bool:
    """Whether hands are found in most of some pictures, and fill less than most of the picture.

    Args:
        finder: of hands.
        pictures: files, of which a few are looked at, spread over all.
        contents: hash of each.
    """
    rows = np.unique(np.linspace(0, len(pictures) - 1, _NUM_TRIED).round().astype(int))
    key = content_key(finder.key, [contents[row] for row in rows])

    def build(folder: Path) -> None:
        with progress_bar() as bar:
            task = bar.add_task("looking for hands", total=len(rows))
            shares = []
            for row in rows:
                shares.append(finder.share(pictures[row]))
                bar.advance(task)
        np.save(folder / "shares.npy", np.array(shares, np.float64))

    return are_small(np.array(open_array(cached_arrays(f"hands/{key}", build) / "shares.npy")))


def are_small(shares: NDArray[np.float64]) -> bool:
    """Whether the hands of most pictures were found, NaN where none was, and most of these boxes are small."""
    found = shares[np.isfinite(shares)]
    return 2 * len(found) > len(shares) and bool(np.median(found) < _LARGE)


def _runtime_of(artifact: Artifact) -> RuntimeName:
    """Who runs the artifact's glance."""
    programs = (artifact.manifest.get("programs") or {}).values()
    there = {program["runtime"] for program in programs if GLANCE in program["methods"]}
    for runtime in _RUNTIMES:
        if runtime in there:
            return runtime
    raise ValueError(
        f"{artifact.folder} has no program that finds hands: give data.spotter= a net for whole frames, such as "
        f"{SPOTTER}"
    )
