"""Small pictures, folders and parquet files made on the spot."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


def picture(seed: int, width: int = 24, height: int = 18) -> Image.Image:
    random = np.random.default_rng(seed)
    return Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))


def encoded(seed: int) -> bytes:
    out = io.BytesIO()
    picture(seed).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "cache of mine"
    monkeypatch.setenv("OPENAUTOGLM_HOME", str(home))
    return home


@pytest.fixture
def make_folder(tmp_path: Path):
    """Call with {relative class folder: number of pictures}; every picture differs."""

    def make(counts: dict[str, int], name: str = "photos") -> Path:
        root = tmp_path / name
        root.mkdir(parents=True, exist_ok=True)
        seed = 0
        for folder, count in counts.items():
            (root / folder).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                seed += 1
                picture(seed).save(root / folder / f"{number:03d}.png")
        return root

    return make


@pytest.fixture
def make_parquet(tmp_path: Path):
    """Call with {file stem: list of labels}; ids are ``<stem>-<row>`` unless given."""

    def make(
        splits: dict[str, list[int | None]],
        *,
        classes: tuple[str, ...] = ("fist", "palm", "ok"),
        name: str = "crops",
        ids: dict[str, list[str]] | None = None,
        images: dict[str, list[bytes]] | None = None,
    ) -> Path:
        import datasets

        root = tmp_path / name
        root.mkdir(parents=True, exist_ok=True)
        features = datasets.Features(
            {
                "image": datasets.Image(),
                "label": datasets.ClassLabel(names=list(classes)),
                "image_id": datasets.Value("string"),
            }
        )
        seed = 0
        for stem, labels in splits.items():
            rows: dict[str, list[Any]] = {"image": [], "label": [], "image_id": []}
            for row, label in enumerate(labels):
                seed += 1
                content = images[stem][row] if images and stem in images else encoded(seed)
                rows["image"].append({"bytes": content, "path": None})
                rows["label"].append(label)
                rows["image_id"].append(ids[stem][row] if ids and stem in ids else f"{stem}-{row}")
            datasets.Dataset.from_dict(rows, features=features).to_parquet(str(root / f"{stem}.parquet"))
        return root

    return make


@pytest.fixture
def png():
    """The bytes of a small picture, by number."""
    return encoded
