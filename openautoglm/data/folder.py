"""A person's own pictures: a folder a class, with or without folders for the splits above, or a zip file of it.

Layouts: ``root/<class>/...`` or ``root/{train,val,test}/<class>/...`` (``val`` may be called ``validation``, ``valid``
or ``dev``), or pictures with one table beside them that names file and class. A video stands for some of its frames.
Where pictures show more than a hand, a crop round the hand that a spotter finds takes their place.
A split without a folder is cut out of train, class by class, by a hash of the path; where train and val are there
without test, val is the figure. A class of one picture is in train only, one of two in train and dev, and both are
named in ``problems``.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from openautoglm.data.base import ImageSet, Split
from openautoglm.data.cache import cached_arrays, content_key
from openautoglm.data.hands import NO_HAND, SPOTTER, FindHands, HandCrops, HandFinder, show_more_than_hands
from openautoglm.data.images import DECODE_VERSION, load_square
from openautoglm.data.scan import Scan, scan_folder
from openautoglm.data.store import Encoded, open_pictures, read_meta, write_pictures
from openautoglm.types import MissingExtraError

_log = logging.getLogger(__name__)
_PARTS: tuple[Split, ...] = ("train", "dev", "test")
_SIDES = frozenset(
    {
        "left",
        "right",
        "links",
        "rechts",
        "gauche",
        "droite",
        "izquierda",
        "derecha",
        "sinistra",
        "destra",
        "esquerda",
        "direita",
        "lewo",
        "prawo",
        "왼쪽",
        "오른쪽",
    }
)


class FolderGestures:
    """Pictures in a folder a class.

    Args:
        root: the folder or zip file.
        image_size: side of the square pictures, in pixels.
        dev_fraction: part of each class that chooses everything, where there is no folder for it; 0 keeps every
            picture for training, which then stands in for the split, see ``holds_out``.
        test_fraction: part of each class that is read for the figure only, where there is no folder for it; likewise.
        seed: of the split.
        mirror: whether a mirrored picture keeps its label; None looks for words such as left and right in the
            classes' names.
        frames_every: of the frames of a video each so-and-so-many-th is a picture.
        name: short name for people and results.
        classes: names in the order of a model that the pictures are for; None takes the folders' names, sorted.
            A folder of another name is refused, a class without a folder is not.
        find_hands: crop the pictures to their hands; ``"auto"`` does where they show more than that.
        spotter: released name or folder of the net that finds them.
    """

    def __init__(
        self,
        *,
        root: str,
        image_size: int = 96,
        dev_fraction: float = 0.1,
        test_fraction: float = 0.15,
        seed: int = 0,
        mirror: bool | None = None,
        frames_every: int = 10,
        name: str = "folder",
        classes: Sequence[str] | None = None,
        find_hands: FindHands = "never",
        spotter: str = SPOTTER,
    ) -> None:
        if min(dev_fraction, test_fraction) < 0 or dev_fraction + test_fraction >= 1:
            raise ValueError(
                f"dev_fraction={dev_fraction} and test_fraction={test_fraction} leave nothing to train on; both are "
                "parts of the pictures, 0 or more, and sum to less than 1"
            )
        if frames_every < 1:
            raise ValueError(f"frames_every={frames_every} should be at least 1")
        self.root = str(root)
        self.frames_every = frames_every
        self.image_size = image_size
        self.dev_fraction = dev_fraction
        self.test_fraction = test_fraction
        self.seed = seed
        self._mirror = mirror
        self.name = name
        self.classes = tuple(classes) if classes is not None else None
        self.find_hands = find_hands
        self.spotter = spotter
        self._found: Scan | None = None

    @property
    def mirror(self) -> bool:
        """Whether a mirrored picture keeps its label."""
        if self._mirror is not None:
            return self._mirror
        try:
            return not speaks_of_sides(self.class_names())
        except ValueError:  # isinstance() asks too, before anything is read; load() will say what is wrong
            return False

    @property
    def mirror_note(self) -> str | None:
        """What was assumed about mirroring, for people; None where they said it themselves."""
        if self._mirror is not None:
            return None
        if found := speaks_of_sides(self.class_names()):
            return f"pictures are not mirrored: sides matter to {_quoted(found)} (data.mirror=true if they do not)"
        return "pictures are also shown mirrored: no class is named after a side (data.mirror=false if sides matter)"

    def class_names(self) -> tuple[str, ...]:
        """Names of the class folders, sorted, unless they were given."""
        found = self._scan().labels
        if self.classes is None:
            return found
        extra = [name for name in found if name not in self.classes]
        if extra:
            raise ValueError(
                f"{self.root} has folders that are no class of the model: {_quoted(extra)}; rename or remove them, "
                f"the classes are {_quoted(self.classes)}"
            )
        return self.classes

    def holds_out(self, split: Split) -> bool:
        """Whether a split has pictures that are not trained on."""
        return split in self._scan().parts

    def load(self, split: Split) -> ImageSet:
        """Read a split, from the cache where possible."""
        scan = self._scan()
        classes = self.class_names()
        if split == "train" and len(scan.labels) < 2:
            raise ValueError(
                f"{self.root} has one class only ({_quoted(scan.labels)}); a classifier needs two class folders or more"
            )
        # a folder that holds val alone is measured on it, whatever the split is called
        part: Split = "dev" if split == "test" and scan.parts == {"dev"} else split
        if part not in scan.parts and "train" in scan.parts and not self._fraction(part):
            part = "train"
        if part not in scan.parts:
            raise ValueError(
                f"{self.root} has no pictures for {split}, only for {_quoted(sorted(scan.parts))}; add a folder "
                f"{split}/ with a folder a class, or at least three pictures to each class"
            )
        found = open_pictures(self._store(scan, classes), part, name=f"{self.name}/{split}", classes=classes)
        self._check(found, split)
        return replace(found, problems=scan.notes + found.problems) if part == _first(scan) else found

    def hand_crops(self) -> HandCrops | None:
        """How the pictures became crops; None where they are taken as they are."""
        if self._finder is None:
            return None
        folder = self._store(self._scan(), self.class_names())
        metas = [read_meta(folder, part) for part in _PARTS]
        end = f": {NO_HAND}"
        missing = [text.removesuffix(end) for meta in metas for text in meta.problems if text.endswith(end)]
        return HandCrops(
            spotter=self.spotter,
            num_pictures=sum(len(meta.ids) for meta in metas) + len(missing),
            missing=tuple(missing),
        )

    @property
    def hands_note(self) -> str | None:
        """What was assumed about crops, for people; None where nothing was."""
        if self.find_hands == "never":
            return None
        crops = self.hand_crops()
        if crops is None:
            return "pictures are taken as they are: hands fill them (data.find_hands=always crops them all the same)"
        said = "" if self.find_hands == "always" else "pictures show more than the hand: "
        return f"{said}{crops.sentence} (data.find_hands=never takes whole pictures)"

    @cached_property
    def _finder(self) -> HandFinder | None:
        """What crops the pictures; None where they are taken as they are."""
        if self.find_hands == "never":
            return None
        finder, pictures = HandFinder(self.spotter), self._scan().pictures
        if self.find_hands == "always":
            return finder
        try:
            more = show_more_than_hands(finder, [it.path for it in pictures], [it.content for it in pictures])
        except MissingExtraError as error:
            _log.warning("%s: nobody looks whether the pictures show more than hands: %s", self.name, error)
            return None
        return finder if more else None

    def _fraction(self, part: Split) -> float:
        return {"dev": self.dev_fraction, "test": self.test_fraction}.get(part, 1.0)

    def _store(self, scan: Scan, classes: tuple[str, ...]) -> Path:
        finder = self._finder
        rows = [(picture.name, picture.content, picture.label, picture.part) for picture in scan.pictures]

        def encoded() -> Iterator[Encoded]:
            for picture in scan.pictures:
                yield Encoded(
                    source=picture.path,
                    label=classes.index(picture.label),
                    image_id=picture.name,
                    part=str(picture.part),
                )

        def build(folder: Path) -> None:
            write_pictures(
                encoded(),
                folder,
                parts=_PARTS,
                image_size=self.image_size,
                total=len(rows),
                title=f"reading {self.name}" if finder is None else f"finding hands in {self.name}",
                load=load_square if finder is None else finder.crop,
            )

        found_by = [] if finder is None else [finder.key]
        key = content_key(DECODE_VERSION, self.image_size, classes, rows, *found_by)
        return cached_arrays(f"pictures/{key}", build, size_bytes=len(rows) * 3 * self.image_size**2)

    def _check(self, found: ImageSet, split: Split) -> None:
        """Refuse a split of which nothing, or of one class nothing, can be read."""
        if not len(found):
            raise ValueError(f"none of the {split} pictures of {self.root} can be read: {found.problems[0]}")
        if split == "train":
            counts = np.bincount(found.labels, minlength=len(found.classes))
            empty = [name for name, count in zip(found.classes, counts, strict=True) if not count]
            if empty and any(problem.endswith(NO_HAND) for problem in found.problems):
                raise ValueError(
                    f"{self.root} has no training picture of {_quoted(empty)} in which a hand was found; remove the "
                    "folder, for without a hand there is nothing to name, or take whole pictures by "
                    "data.find_hands=never"
                )
            if empty:
                raise ValueError(
                    f"{self.root} has no readable training picture of {_quoted(empty)}; add some or remove the folder"
                )

    def _scan(self) -> Scan:
        if self._found is None:
            self._found = scan_folder(
                self.root,
                dev_fraction=self.dev_fraction,
                test_fraction=self.test_fraction,
                seed=self.seed,
                every=self.frames_every,
            )
            for note in self._found.notes:
                _log.warning("%s: %s", self.name, note)
        return self._found


def _first(scan: Scan) -> Split:
    """The split that carries the notes about the whole folder, so that they are told once."""
    return next(part for part in _PARTS if part in scan.parts)


def speaks_of_sides(names: Sequence[str]) -> list[str]:
    """The names that hold a word for left or right."""
    return [name for name in names if _SIDES.intersection(re.split(r"[\W_]+", name.lower())) or set("左右") & set(name)]


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(repr(str(name)) for name in names)
