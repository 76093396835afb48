"""Boxes in COCO's JSON (Lin et al., arXiv 1405.0312).

``root/<split>.json`` beside ``root/<split>/``, ``root/annotations/instances_<split>.json`` beside ``root/<split>/`` or
``root/images/``, and ``root/<split>/_annotations.coco.json`` among its pictures.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from openautoglm.data.annotated import Annotated, Category, split_of
from openautoglm.data.base import Split
from openautoglm.data.frame_store import corners
from openautoglm.data.paths import path_below

_SAMPLE = 20


def find_coco(root: Path) -> list[tuple[Path, dict[str, Any]]]:
    """Annotation files of a folder with their content; none if it is no COCO data set."""
    files = sorted({*root.glob("*.json"), *root.glob("annotations/*.json"), *root.glob("*/_annotations.coco.json")})
    found = ((file, _load(file)) for file in files)
    return [(file, content) for file, content in found if _is_coco(content)]


def read_coco(root: Path, files: Sequence[tuple[Path, dict[str, Any]]]) -> Iterator[Annotated]:
    """The pictures of all annotation files, in their order."""
    for file, content in files:
        names = {category["id"]: str(category["name"]) for category in content["categories"]}
        hands = defaultdict(list)
        for annotation in content["annotations"]:
            hands[annotation["image_id"]].append(annotation)
        folder = _picture_folder(root, file, [str(image["file_name"]) for image in islice(content["images"], _SAMPLE)])
        part = split_of(file.stem, file.parent.name)
        for image in content["images"]:
            path = path_below(folder, str(image["file_name"]))
            yield _annotated(path, path.relative_to(root).as_posix(), part, image, hands[image["id"]], names)


def _annotated(
    path: Path, name: str, part: Split | None, image: dict[str, Any], hands: list[dict[str, Any]], names: dict[Any, str]
) -> Annotated:
    width, height = image.get("width"), image.get("height")
    if not (isinstance(width, int | float) and isinstance(height, int | float) and min(width, height) > 0):
        return Annotated(path=path, name=name, part=part, problem="its annotation has no width and height")
    boxes, notes, complete = [], [], True
    for hand in hands:
        try:
            if hand.get("iscrowd"):
                raise ValueError("a crowd, not one hand")
            if hand.get("category_id") not in names:
                raise ValueError(f"of the category {hand.get('category_id')!r}, which is not in the list")
            x0, y0, x1, y1 = corners(hand.get("bbox"))
            box = (x0 / width, y0 / height, x1 / width, y1 / height)
            boxes.append(Category(name=names[hand["category_id"]], box=box))
        except ValueError as error:
            complete = False
            notes.append(f"its box {hand.get('bbox')} is {error}")
    return Annotated(
        path=path if path.is_file() else None,
        name=name,
        part=part,
        boxes=tuple(boxes),
        size_px=(width, height),
        complete=complete,
        notes=tuple(notes),
    )


def _picture_folder(root: Path, file: Path, names: Sequence[str]) -> Path:
    """The folder that most of the first pictures lie in."""
    stem, split = file.stem, file.stem.rpartition("_")[2]
    places = [base / below for base in (root, file.parent) for below in (".", stem, split, "images")]
    places += [root / "images" / below for below in (stem, split)]
    hits = [sum(path_below(place, name).is_file() for name in names) for place in places]
    if names and not max(hits):
        looked = ", ".join(sorted({place.relative_to(root).as_posix() for place in places if place.is_dir()}))
        raise ValueError(
            f"none of the pictures of {file.relative_to(root).as_posix()} is there ({names[0]} and others); looked in "
            f"{looked} of {root}"
        )
    return places[hits.index(max(hits))] if names else root


def _load(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is not readable JSON ({error}); download it again") from None


def _is_coco(content: Any) -> bool:
    needed = {"images": {"id", "file_name"}, "annotations": {"image_id"}, "categories": {"id", "name"}}
    return isinstance(content, dict) and all(
        isinstance(content.get(key), list)
        and all(isinstance(item, dict) and item.keys() >= keys for item in content[key])
        for key, keys in needed.items()
    )
