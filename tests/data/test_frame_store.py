import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from openautoglm.data.frame_store import MarkedFrame, corners, mark_hand, open_frames, write_frames
from openautoglm.data.images import load_bounded
from openautoglm.data.splits import align_frames, known_classes


def encoded(width: int, height: int, seed: int = 0, **options) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", **options)
    return out.getvalue()


def marked(source: bytes, *, image_id: str = "a", part: str = "train", **options) -> MarkedFrame:
    given = {"hands": (), "complete": True, "frame_label": -1, **options}
    return MarkedFrame(source=source, image_id=image_id, part=part, **given)


def store(folder: Path, frames: list[MarkedFrame], *, longest_px: int = 100, parts=("train", "dev")) -> Path:
    folder.mkdir(exist_ok=True)
    write_frames(frames, folder, parts=parts, longest_px=longest_px, total=len(frames), title="reading")
    return folder


def test_frames_of_any_size_come_back_with_their_hands(tmp_path: Path):
    points = np.linspace(0.1, 0.6, 42).reshape(21, 2)
    hands = (mark_hand([0.25, 0.5, 0.5, 1.0], 1), mark_hand([0.1, 0.1, 0.6, 0.6], -1, points.tolist()))
    frames = [
        marked(encoded(40, 20), hands=hands, frame_label=1),
        marked(encoded(10, 30, seed=1), image_id="b", complete=False),
        marked(encoded(8, 8, seed=2), image_id="c", part="dev"),
    ]
    folder = store(tmp_path / "store", frames)
    train = open_frames(folder, "train", name="x/train", classes=("fist", "palm"))
    assert train.ids == ("a", "b")
    assert len(train) == 2
    assert isinstance(train.pixels, np.memmap)
    first, second = train.frame(0), train.frame(1)
    assert first.image.shape == (20, 40, 3)
    assert (first.image == np.array(Image.open(io.BytesIO(frames[0].source)))).all()
    assert first.boxes_px.tolist() == [[10, 10, 20, 20], [4, 2, 24, pytest.approx(12)]]
    assert first.labels.tolist() == [1, -1]
    assert np.isnan(first.landmarks_px[0]).all()
    np.testing.assert_allclose(first.landmarks_px[1], points * [40, 20], rtol=1e-6)
    assert first.complete
    assert second.image.shape == (30, 10, 3)
    assert second.boxes_px.shape == (0, 4)
    assert second.landmarks_px.shape == (0, 21, 2)
    assert not second.complete
    assert train.frame_labels.tolist() == [1, -1]
    assert open_frames(folder, "dev", name="x/dev", classes=("fist", "palm")).ids == ("c",)


def test_large_pictures_are_shrunk_and_boxes_with_them(tmp_path: Path):
    frames = [marked(encoded(300, 200), hands=(mark_hand([0.0, 0.5, 0.5, 1.0], 0),))]
    frame = open_frames(store(tmp_path / "s", frames, longest_px=60), "train", name="x", classes=("fist",)).frame(0)
    assert frame.image.shape == (40, 60, 3)
    assert frame.boxes_px.tolist() == [[0, 20, 30, 40]]
    assert load_bounded(encoded(30, 20), 60).shape == (20, 30, 3)  # small ones stay as they are


def test_a_turned_photograph_is_upright_and_needs_an_annotation_made_for_that(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    turned = encoded(40, 20, exif=exif)
    frames = [marked(turned, size_px=(20, 40)), marked(turned, image_id="b", size_px=(40, 20))]
    train = open_frames(store(tmp_path / "s", frames), "train", name="x", classes=())
    assert train.frame(0).image.shape == (40, 20, 3)
    assert train.ids == ("a",)
    assert train.problems == ("b: its annotation is for 40 x 20 px, the picture is 20 x 40",)


def test_what_cannot_be_used_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    frames = [
        marked(b"hello"),
        marked(encoded(9, 9), image_id="b", problem="its picture is missing"),
        marked(encoded(9, 9), image_id="c", notes=("its box [] is not four numbers",)),
    ]
    train = open_frames(store(tmp_path / "s", frames), "train", name="x/train", classes=())
    assert train.ids == ("c",)
    assert [problem[:20] for problem in train.problems] == [
        "a: not a picture in ",
        "b: its picture is mi",
        "c: its box [] is not",
    ]
    assert "x/train: 3 left out" in caplog.text


def test_fingerprint_follows_pixels_boxes_and_classes(tmp_path: Path):
    hand, other = (mark_hand([0.1, 0.1, 0.5, 0.5], 0),), (mark_hand([0.1, 0.1, 0.5, 0.6], 0),)
    seen = set()
    for number, (seed, hands, classes) in enumerate(
        [(0, hand, ("a",)), (1, hand, ("a",)), (0, other, ("a",)), (0, hand, ("b",))]
    ):
        folder = store(tmp_path / str(number), [marked(encoded(9, 9, seed=seed), hands=hands)])
        seen.add(open_frames(folder, "train", name="x", classes=classes).fingerprint)
    assert len(seen) == 4
    again = store(tmp_path / "again", [marked(encoded(9, 9), hands=hand)])
    assert open_frames(again, "train", name="y", classes=("a",)).fingerprint in seen


def test_a_damaged_store_says_which_folder(tmp_path: Path):
    folder = store(tmp_path / "s", [marked(encoded(9, 9))])
    (folder / "train-labels.npy").write_bytes(b"")
    with pytest.raises(ValueError, match=r"damaged .* delete that folder"):
        open_frames(folder, "train", name="x", classes=())


@pytest.mark.parametrize("box", [None, [], [1, 2, 3], "1234", [1, 2, None, 4], {"x": 1}])
def test_what_is_no_box(box):
    with pytest.raises(ValueError, match="not four numbers"):
        corners(box)


def test_a_box_is_cut_at_the_edges_and_refused_outside():
    assert corners([0.5, 0.25, 0.5, 0.5]) == [0.5, 0.25, 1.0, 0.75]
    assert mark_hand([-0.5, 0.2, 0.5, 1.5], 0).box.tolist() == [0, 0.2, 0.5, 1]
    for box in ([0.5, 0.5, 0.5, 0.6], [1.1, 0.2, 1.4, 0.5], [0.6, 0.2, 0.4, 0.5], [float("nan"), 0, 1, 1]):
        with pytest.raises(ValueError, match="empty or outside"):
            mark_hand(box, 0)


@pytest.mark.parametrize(
    "landmarks", [None, [], [None], [[0.1, 0.2]] * 20, [[0.1, None]] * 21, [[0.1]] * 21, [[0.1, 0.2]] * 20 + [[0.1]]]
)
def test_anything_but_21_points_counts_as_no_landmarks(landmarks):
    assert mark_hand([0, 0, 1, 1], 0, landmarks).landmarks is None
    assert mark_hand([0, 0, 1, 1], 0, [[0.1, 0.2, 0.3]] * 21).landmarks.shape == (21, 2)


def test_gestures_are_numbered_by_name_and_unknown_ones_stay_as_hands(make_frame, make_frames):
    frames = make_frames([make_frame(20, 20, [[1, 1, 5, 5], [6, 6, 9, 9]], [0, 2]), make_frame(20, 20, [], [])])
    aligned = align_frames(frames, ("palm", "ok"))
    assert aligned.classes == ("palm", "ok")
    assert aligned.labels.tolist() == [-1, 0]
    assert aligned.frame_labels.tolist() == [-1, -1]
    assert len(aligned.frame(0).boxes_px) == 2
    assert align_frames(frames, frames.classes) is frames


def test_pictures_of_unknown_classes_become_unlabelled(make_folder):
    from openautoglm.data import FolderGestures

    train = FolderGestures(root=str(make_folder({"fist": 9, "ok": 9})), image_size=8).load("train")
    kept = known_classes(train, ("palm", "ok"))
    assert (kept.labels == np.where(train.labels == 1, 1, -1)).all()


def test_mirrored_frames_keep_their_hands(tmp_path: Path):
    points = [[0.25, 0.5]] * 21
    frames = [
        marked(encoded(40, 20), hands=(mark_hand([0.1, 0.2, 0.5, 0.6], 1, points), mark_hand([0.5, 0, 1, 1], -1))),
        marked(encoded(10, 30, seed=1), image_id="b", complete=False, frame_label=0),
    ]
    plain = open_frames(store(tmp_path / "s", frames), "train", name="x", classes=("fist", "palm"))
    both = plain.with_mirrored()
    assert (len(both), both.ids) == (4, ("a", "b", "a, mirrored", "b, mirrored"))
    assert both.fingerprint != plain.fingerprint
    for row in range(2):
        before, same, mirror = plain.frame(row), both.frame(row), both.frame(row + 2)
        assert (same.image == before.image).all()
        assert (mirror.image == before.image[:, ::-1]).all()
        assert (mirror.complete, mirror.label, mirror.labels.tolist()) == (
            before.complete, before.label, before.labels.tolist(),
        )  # fmt: skip
        assert (mirror.mirrored().boxes_px == before.boxes_px).all()
    hand = both.frame(2)
    assert hand.boxes_px.tolist() == [[20, 4, 36, 12], [0, 0, 20, 20]]
    assert hand.landmarks_px[0, 0].tolist() == [30, 10]
    assert np.isnan(hand.landmarks_px[1]).all()
