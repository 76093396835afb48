"""Pictures and labels in parquet, on the Hub, or saved by ``datasets``: an image column and a ClassLabel column."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from openautoglm.data.base import ImageSet, Split
from openautoglm.data.cache import cached_arrays, content_key
from openautoglm.data.images import DECODE_VERSION
from openautoglm.data.splits import hash_position
from openautoglm.data.store import Encoded, open_pictures, write_pictures
from openautoglm.data.tables import NoSplitError, Table, open_files, open_table
from openautoglm.tensors import UNLABELLED


class ParquetGestures:
    """A data set of ``datasets``; ``dev`` is cut out of train by a hash of the picture's id.

    Args:
        root: folder with parquet files, folder written by ``save_to_disk``, or ``hf://owner/name``.
        image_size: side of the square pictures, in pixels.
        name: short name for people and results.
        image_column: column of type Image.
        label_column: column of type ClassLabel.
        id_column: column with one id a picture, which decides its slice; None takes a hash of the encoded picture,
            so equal pictures stay together.
        train_split: split that train, dev and holdout come from.
        test_split: split that is read for the figure only.
        unlabelled_files: name pattern of parquet files whose labels are not known.
        unlabelled_classes: the only classes that these pictures may show, where that much is known; a teacher's
            answer is then one of them.
        dev_fraction: part of train, the ids that hash below it, that chooses everything; 0 keeps every picture for
            training, which then stands in for dev, see ``holds_out``.
        holdout_fraction: the part after dev, kept out of training to measure the cost of INT8.
        test_fraction: the part after that, read for the figure only where there is no ``test_split``; 0 likewise.
        mirror: whether a mirrored picture keeps its label.
    """

    def __init__(
        self,
        *,
        root: str,
        image_size: int = 96,
        name: str = "hf",
        image_column: str = "image",
        label_column: str = "label",
        id_column: str | None = None,
        train_split: str = "train",
        test_split: str = "validation",
        unlabelled_files: str | None = None,
        unlabelled_classes: Sequence[str] | None = None,
        dev_fraction: float = 0.08,
        holdout_fraction: float = 0.0,
        test_fraction: float = 0.15,
        mirror: bool = True,
    ) -> None:
        fractions = {"dev": dev_fraction, "holdout": holdout_fraction, "test": test_fraction}
        if min(fractions.values()) < 0 or sum(fractions.values()) >= 1:
            said = ", ".join(f"{name}_fraction={value}" for name, value in fractions.items())
            raise ValueError(f"{said} leave nothing to train on; they are parts of train and sum to less than 1")
        self.root = str(root)
        self.image_size = image_size
        self.name = name
        self.image_column = image_column
        self.label_column = label_column
        self.id_column = id_column
        self.train_split = train_split
        self.test_split = test_split
        self.unlabelled_files = unlabelled_files
        self.unlabelled_classes = tuple(unlabelled_classes) if unlabelled_classes is not None else None
        self.dev_fraction = dev_fraction
        self.holdout_fraction = holdout_fraction
        self.test_fraction = test_fraction
        self.mirror = mirror
        self._tables: dict[str, Table] = {}

    def class_names(self) -> tuple[str, ...]:
        """Names of the ClassLabel column, from train or, where there is none, from the test split."""
        try:
            table = self._table(self.train_split)
        except ValueError as error:
            try:
                table = self._table(self.test_split)
            except ValueError:
                raise error from None
        return self._classes(table)

    def holds_out(self, split: Split) -> bool:
        """Whether a split has pictures that are not trained on."""
        if split == "test":
            return self._has_test or self.test_fraction > 0
        return split == "train" or self.dev_fraction > 0

    def load(self, split: Split) -> ImageSet:
        """Read a split, from the cache where possible."""
        if not self.holds_out(split):
            split = "train"
        if split == "test" and self._has_test:
            return self._read(self.test_split, "test")
        found = self._read(self.train_split, split)
        if not len(found):
            setting = f"{split}_fraction"
            raise ValueError(
                f"{split} of {self.name} is empty: {self._table(self.train_split).num_rows} pictures and "
                f"{setting}={getattr(self, setting, 0)} leave none for it; raise {setting} or add pictures"
            )
        return found

    def load_holdout(self) -> ImageSet:
        """Pictures kept out of train and dev, to measure a paired difference on."""
        return self._read(self.train_split, "holdout")

    def load_unlabelled(self) -> ImageSet:
        """Pictures without labels, less those whose id falls into dev or holdout or stands in test."""
        if self.unlabelled_files is None:
            raise ValueError(f"{self.name} names no unlabelled_files; set them or do without unlabelled pictures")
        table = open_files(self.root, self.unlabelled_files)
        test_ids = frozenset(self._ids(self._table(self.test_split))) if self._has_test else frozenset()
        folder = self._store(table, ("unlabelled",), test_ids)
        return self._open(folder, "unlabelled")

    def _read(self, source_split: str, part: str) -> ImageSet:
        table = self._table(source_split)
        parts: tuple[str, ...] = ("train", "dev", "holdout")
        if not self._has_test and self.test_fraction:
            parts = (*parts, "test")
        if source_split == self.test_split:
            parts = ("test",)
        return self._open(self._store(table, parts, frozenset()), part)

    def _open(self, folder: Path, part: str) -> ImageSet:
        return open_pictures(folder, part, name=f"{self.name}/{part}", classes=self.class_names())

    @cached_property
    def _has_test(self) -> bool:
        """Whether there is a split for the figure; what is neither that nor train may be meant, so it is asked for."""
        try:
            self._table(self.test_split)
        except NoSplitError as error:
            if error.splits != {self.train_split}:
                raise
            return False
        return True

    def _table(self, split: str) -> Table:
        if split not in self._tables:
            table = open_table(self.root, split)
            self._check(table)
            self._tables[split] = table
        return self._tables[split]

    def _store(self, table: Table, parts: tuple[str, ...], left_out: frozenset[str]) -> Path:
        columns = [self.image_column, self.label_column, *([self.id_column] if self.id_column else [])]
        slices: tuple[object, ...] = (parts, self.dev_fraction, self.holdout_fraction, sorted(left_out))
        if "test" in parts and parts != ("test",):
            slices = (*slices, self.test_fraction)
        key = content_key(DECODE_VERSION, table.fingerprint, self.image_size, columns, slices)

        def build(folder: Path) -> None:
            write_pictures(
                self._rows(table, columns, parts, left_out),
                folder,
                parts=parts,
                image_size=self.image_size,
                total=table.num_rows,
                title=f"reading {self.name} ({' '.join(parts)})",
            )

        size_bytes = table.num_rows * (3 * self.image_size**2 + 64)
        return cached_arrays(f"pictures/{key}", build, size_bytes=size_bytes)

    def _rows(
        self, table: Table, columns: list[str], parts: tuple[str, ...], left_out: frozenset[str]
    ) -> Iterator[Encoded]:
        """Each row with the part it belongs to; ids that occur again get a number."""
        seen: dict[str, int] = {}
        num_classes = len(self._classes(table)) if parts != ("unlabelled",) else 0
        for batch in table.read(columns):
            for row, (image, label) in enumerate(zip(batch[self.image_column], batch[self.label_column], strict=True)):
                source = _encoded(image)
                image_id = str(batch[self.id_column][row]) if self.id_column else _hash(source)
                part = self._part(image_id, parts)
                if part is None or image_id in left_out:
                    continue
                seen[image_id] = seen.get(image_id, 0) + 1
                name = image_id if seen[image_id] == 1 else f"{image_id}#{seen[image_id]}"
                known = label is not None and 0 <= label < num_classes
                yield Encoded(
                    source=source,
                    label=label if known else UNLABELLED,
                    image_id=name,
                    part=part,
                    problem="" if known or part == "unlabelled" else f"its label is {label}, not one of the classes",
                )

    def _part(self, image_id: str, parts: tuple[str, ...]) -> str | None:
        if parts == ("test",):
            return "test"
        position, stop = hash_position(image_id), 0.0
        cut = {"dev": self.dev_fraction, "holdout": self.holdout_fraction}
        if "test" in parts:
            cut["test"] = self.test_fraction
        for part, fraction in cut.items():
            stop += fraction
            if position < stop:
                return part if part in parts else None
        return parts[0]

    def _ids(self, table: Table) -> Iterator[str]:
        if self.id_column:
            for batch in table.read([self.id_column]):
                yield from map(str, batch[self.id_column])
        else:
            for batch in table.read([self.image_column]):
                yield from (_hash(_encoded(image)) for image in batch[self.image_column])

    def _classes(self, table: Table) -> tuple[str, ...]:
        return tuple(table.features[self.label_column].names)

    def _check(self, table: Table) -> None:
        """Name the columns that are there when one that is needed is not."""
        import datasets

        columns = ", ".join(f"{name} ({_type(kind)})" for name, kind in table.features.items())
        for setting in ("image_column", "label_column", "id_column"):
            column = getattr(self, setting)
            if column is not None and column not in table.features:
                raise ValueError(f"{self.root} has no column {column!r}; it has {columns}: set {setting} to one")
        if not isinstance(table.features[self.image_column], datasets.Image):
            raise ValueError(f"the column {self.image_column!r} of {self.root} should be an Image; it has {columns}")
        if not isinstance(table.features[self.label_column], datasets.ClassLabel):
            raise ValueError(
                f"the column {self.label_column!r} of {self.root} should be a ClassLabel; it has {columns}: "
                "cast it with datasets' class_encode_column"
            )


def _encoded(image: Mapping[str, Any] | None) -> bytes | Path:
    """What an undecoded Image cell holds: the bytes themselves or a path to them."""
    if image is None:
        return b""
    if image.get("bytes") is not None:
        return bytes(image["bytes"])
    return Path(image["path"]) if image.get("path") else b""


def _hash(source: bytes | Path) -> str:
    content = source if isinstance(source, bytes) else source.read_bytes()
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()[:16]


def _type(kind: object) -> str:
    return str(getattr(kind, "dtype", None) or type(kind).__name__)
