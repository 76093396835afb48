"""Boxes in the XML of Pascal VOC (Everingham et al., doi 10.1007/s11263-009-0275-4).

``Annotations/<name>.xml`` with ``JPEGImages/<name>.jpg`` and, where there are splits, ``ImageSets/Main/<split>.txt``;
or a folder a split with pictures and XML files side by side.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from openautoglm.data.annotated import Annotated, Category, pictures_in, split_of
from openautoglm.data.base import Split
from openautoglm.data.scan import SPLIT_FOLDERS


def find_voc(root: Path) -> list[Path]:
    """XML files of a folder; none if it is no VOC data set."""
    return sorted(root.rglob("*.xml"))


def read_voc(root: Path, files: list[Path]) -> Iterator[Annotated]:
    """The picture of each XML file, which is the one of the same name."""
    listed = _listed_splits(root)
    # looked up among the names that are there, so no file name in an XML can lead out of the root
    pictures = cache(pictures_in)
    for file in files:
        folders = (file.parent, file.parent.parent / "JPEGImages", file.parent.parent / "images")
        path = next((pictures(folder)[file.stem] for folder in folders if file.stem in pictures(folder)), None)
        part = listed.get(file.stem) or split_of(*file.relative_to(root).parts[:-1])
        name = (path or file).relative_to(root).as_posix()
        try:
            yield _annotated(path, name, part, parse_xml(file.read_bytes()))
        except ValueError as error:
            yield Annotated(path=path, name=name, part=part, problem=f"its XML is {error}")


def parse_xml(content: bytes) -> Element:
    """Parse XML in which nothing may be declared: entities can make a small file fill the memory.

    Raises:
        ValueError: with the reason, when it is something else.
    """

    def refuse(*_: object) -> None:
        raise ValueError("refused: it declares entities")

    tree, parser = TreeBuilder(), expat.ParserCreate()
    parser.StartElementHandler = tree.start
    parser.EndElementHandler = tree.end
    parser.CharacterDataHandler = tree.data
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise ValueError(f"damaged ({error})") from None
    return tree.close()


def _annotated(path: Path | None, name: str, part: Split | None, tree: Element) -> Annotated:
    size = _number(tree, "size/width"), _number(tree, "size/height")
    if not (size[0] > 0 and size[1] > 0):
        raise ValueError("without the size of the picture")
    boxes, notes = [], []
    for item in tree.iter("object"):
        x0, y0, x1, y1 = (_number(item, f"bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax"))
        # pixels are counted from 1, and the last one belongs to the box
        box = ((x0 - 1) / size[0], (y0 - 1) / size[1], x1 / size[0], y1 / size[1])
        if not all(value == value for value in box):
            notes.append("a box has no xmin, ymin, xmax and ymax")
            continue
        boxes.append(Category(name=(item.findtext("name") or "").strip(), box=box))
    return Annotated(
        path=path,
        name=name,
        part=part,
        boxes=tuple(boxes),
        size_px=size,
        complete=not notes,
        notes=tuple(notes),
    )


def _number(tree: Element, place: str) -> float:
    try:
        return float(tree.findtext(place) or "nan")
    except ValueError:
        return float("nan")


def _listed_splits(root: Path) -> dict[str, Split]:
    lists = [path for path in sorted(root.glob("ImageSets/Main/*.txt")) if path.stem in SPLIT_FOLDERS]
    return {
        line.split()[0]: SPLIT_FOLDERS[path.stem]
        for path in lists
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip()
    }
