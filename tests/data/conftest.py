"""Small pictures, folders and parquet files made on the spot."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from openautoglm.data.frames import Frame, FrameSet


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


def _frame(
    width: int, height: int, boxes: list[list[float]], labels: list[int], *, complete: bool = True, seed: int = 0
) -> Frame:
    """A frame of noise whose hands are white."""
    image = np.array(picture(seed, width, height)) // 2
    for x0, y0, x1, y1 in np.array(boxes, int).reshape(-1, 4):
        image[y0:y1, x0:x1] = 255
    return Frame(
        image=image,
        boxes_px=np.array(boxes, np.float32).reshape(-1, 4),
        labels=np.array(labels, np.int64),
        landmarks_px=np.full((len(labels), 21, 2), np.nan, np.float32),
        complete=complete,
    )


@pytest.fixture
def make_frame():
    """Call with width, height, boxes and labels; the hands are white on darker noise."""
    return _frame


@pytest.fixture
def make_frames():
    """Call with frames: they become a split."""

    def make(frames: list[Frame], *, classes: tuple[str, ...] = ("fist", "no_gesture", "palm")) -> FrameSet:
        return FrameSet(
            name="made/train",
            classes=classes,
            ids=tuple(f"made-{number}" for number in range(len(frames))),
            fingerprint="none",
            pixels=np.concatenate([frame.image.reshape(-1) for frame in frames]),
            sizes_px=np.array([frame.image.shape[:2] for frame in frames], np.int64),
            num_hands=np.array([len(frame.labels) for frame in frames], np.int64),
            boxes_px=np.concatenate([frame.boxes_px for frame in frames]),
            labels=np.concatenate([frame.labels for frame in frames]),
            landmarks_px=np.concatenate([frame.landmarks_px for frame in frames]),
            complete=np.array([frame.complete for frame in frames]),
            frame_labels=np.array([frame.labels[0] if len(frame.labels) else -1 for frame in frames], np.int64),
        )

    return make
