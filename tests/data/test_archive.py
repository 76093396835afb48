import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from openautoglm.data import FolderGestures
from openautoglm.data.groups import find_groups
from openautoglm.data.labels import read_labels

pytestmark = pytest.mark.usefixtures("own_cache")


def encoded(seed: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (18, 24, 3), dtype=np.uint8)).save(out, "PNG")
    return out.getvalue()


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def source(root: Path, **options) -> FolderGestures:
    return FolderGestures(**{"root": str(root), "image_size": 16, "dev_fraction": 0.0, "test_fraction": 0.0, **options})


@pytest.mark.parametrize("top", ["", "my photos/"])
def test_a_zip_is_a_folder(tmp_path, own_cache, top):
    names = [f"{top}{name}/{row}.png" for name in ("好", "it's ok") for row in range(4)]
    files = {name: encoded(row) for row, name in enumerate(names)}
    files |= {f"{top}__MACOSX/好/._0.png": b"x", f"{top}.DS_Store": b"x", f"{top}notes.txt": b"hello"}
    data = source(zipped(tmp_path / "photos.zip", files))
    assert data.class_names() == ("it's ok", "好")
    assert len(data.load("train")) == 8
    assert not list(own_cache.rglob("notes.txt"))


@pytest.mark.parametrize("name", ["../a/x.png", "/etc/x.png", "C:/x.png", "a/../../x.png", "..\\a\\x.png"])
def test_names_that_lead_out_are_refused(tmp_path, own_cache, name):
    root = zipped(tmp_path / "bad.zip", {"a/1.png": encoded(1), name: encoded(2)})
    with pytest.raises(ValueError, match="lies outside of it; nothing was unpacked"):
        source(root).class_names()
    assert not list(tmp_path.rglob("x.png"))


def test_a_bomb_is_refused(tmp_path):
    root = zipped(tmp_path / "bomb.zip", {"a/1.png": b"\0" * 50_000_000})
    with pytest.raises(ValueError, match="swells to 50 MB"):
        source(root).class_names()


def test_damaged_zips(tmp_path):
    (tmp_path / "no.zip").write_bytes(b"PK no")
    with pytest.raises(ValueError, match="cannot be read as a zip file"):
        source(tmp_path / "no.zip").class_names()
    whole = zipped(tmp_path / "whole.zip", {"a/1.png": encoded(1), "b/1.png": encoded(2)}).read_bytes()
    spot = whole.index(encoded(1)[60:80]) if encoded(1)[60:80] in whole else 100
    (tmp_path / "bit.zip").write_bytes(whole[:spot] + b"\xff" * 40 + whole[spot + 40 :])
    with pytest.raises(ValueError, match=r"damaged|cannot be read"):
        source(tmp_path / "bit.zip").class_names()
    with pytest.raises(ValueError, match="holds no pictures"):
        source(zipped(tmp_path / "empty.zip", {"readme.txt": b"x"})).class_names()


@pytest.mark.parametrize(
    "table",
    [
        "filename,label\n1.png,fist\n2.png,palm\nmissing.png,palm\n",
        "gesture;image\nfist;1.png\npalm;2.png\npalm;missing.png\n",
        "1.png\tfist\n2.png\tpalm\nmissing.png\tpalm\n",
        "Bild,Geste\n1.png,fist\n2.png,palm\nmissing.png,palm\n",
    ],
)
def test_a_table_names_the_classes(tmp_path, table):
    for row in (1, 2):
        (tmp_path / f"{row}.png").write_bytes(encoded(row))
    (tmp_path / "labels.csv").write_text(table, encoding="utf-8")
    found = source(tmp_path).load("train")
    assert {name: found.classes[label] for name, label in zip(found.ids, found.labels, strict=True)} == {
        "1.png": "fist",
        "2.png": "palm",
    }
    assert any("missing.png: named in labels.csv" in problem for problem in found.problems)


def test_a_table_may_not_lead_out(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "secret.png").write_bytes(encoded(1))
    (tmp_path / "photos" / "labels.csv").write_text("file,label\n../secret.png,a\n")
    with pytest.raises(ValueError, match="lies outside"):
        source(tmp_path / "photos").class_names()


def test_wrong_tables(tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("filename,label\n1.png,\n")
    with pytest.raises(ValueError, match="line 2: expected a file name and a class"):
        read_labels(table)
    table.write_text("only one column\n")
    with pytest.raises(ValueError, match="no table of at least two columns"):
        read_labels(table)
    (tmp_path / "other.csv").write_text("x,y\n")
    with pytest.raises(ValueError, match=r"the tables labels\.csv, other\.csv"):
        source(tmp_path).class_names()


def video(path: Path, seed: int, num_frames: int = 25) -> None:
    av = pytest.importorskip("av")
    random = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        for _ in range(num_frames):
            pixels = np.kron(random.integers(0, 256, (8, 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                out.mux(packet)
        for packet in stream.encode(None):
            out.mux(packet)


def test_videos_are_sources_of_frames(tmp_path):
    for seed, name in enumerate(("fist/one.mp4", "fist/two.mp4", "palm/one.mp4", "palm/two.mp4")):
        video(tmp_path / name, seed)
    (tmp_path / "palm" / "broken.mp4").write_bytes(b"no video")
    (tmp_path / "palm" / "photo.png").write_bytes(encoded(1))
    found = source(tmp_path, frames_every=10).load("train")
    assert len(found) == 4 * 3 + 1
    assert "fist/one.mp4/000010.jpg" in found.ids
    assert any(problem.startswith("palm/broken.mp4") for problem in found.problems)
    groups = find_groups(found.ids, found.labels)
    assert groups.found_by == "video"
    assert groups.num_groups == 5


def test_one_video_a_class_tells_nothing(tmp_path):
    names = [f"{label}/take.mp4/{row}.jpg" for label in "ab" for row in range(3)]
    assert find_groups(names, np.array([0, 0, 0, 1, 1, 1])).found_by is None
