from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import openautoglm.data.synthetic.scenes as scenes_module
from openautoglm.data.contact import frame_sheet
from openautoglm.data.frames import NO_GESTURE, FrameSource
from openautoglm.data.synthetic.frame import FrameSettings, _hold, frame_sizes, render_frame
from openautoglm.data.synthetic.gestures import DEFAULT_CLASSES, GESTURES
from openautoglm.data.synthetic.idle import sample_idle
from openautoglm.data.synthetic.pictures import draw_person
from openautoglm.data.synthetic.scenes import SyntheticScenes

CLASSES = tuple(sorted({*DEFAULT_CLASSES, NO_GESTURE}))
SETTINGS = FrameSettings(CLASSES, 160, 0, "test", True)
SMALL = {"longest_px": 160, "num_train": 24, "num_dev": 12, "num_test": 12}


def make(root: Path, **changes) -> SyntheticScenes:
    return SyntheticScenes(root=root, **(SMALL | changes))


@pytest.fixture(scope="module")
def rendered():
    sizes = frame_sizes(SETTINGS, 72)
    return [render_frame(SETTINGS, index, tuple(map(int, size))) for index, size in enumerate(sizes)], sizes


def test_frames_are_wide_and_upright_and_their_sizes_known_beforehand(rendered):
    scenes, sizes = rendered
    assert [scene.image.shape for scene in scenes] == [(height, width, 3) for height, width in sizes.tolist()]
    assert (sizes.max(1) == 160).all()
    assert (sizes % 2 == 0).all()
    assert {(120, 160), (160, 120), (90, 160), (160, 90)} == set(map(tuple, sizes.tolist()))
    assert (frame_sizes(SETTINGS, 10) == sizes[:10]).all()


def test_none_to_three_hands_of_every_size_and_gesture(rendered):
    scenes, sizes = rendered
    counts = np.bincount([len(scene.hands) for scene in scenes], minlength=4)
    assert (counts > 0).all()
    assert counts[1] == counts.max()
    hands = [hand for scene in scenes for hand in scene.hands]
    assert {hand.label for hand in hands} == set(range(len(CLASSES)))
    idle = CLASSES.index(NO_GESTURE)
    assert 0.15 < np.mean([hand.label == idle for hand in hands]) < 0.5
    parts = [
        max(hand.box_px[2:] - hand.box_px[:2]) / size[0]
        for scene, size in zip(scenes, sizes, strict=True)
        for hand in scene.hands
    ]
    assert max(parts) <= 0.601
    assert np.quantile(parts, 0.95) > 0.4
    assert np.quantile(parts, 0.05) < 0.13


def test_boxes_and_landmarks_lie_on_the_hand(rendered):
    scenes, sizes = rendered
    inside = []
    for scene, (height, width) in zip(scenes, sizes, strict=True):
        for hand in scene.hands:
            x0, y0, x1, y1 = hand.box_px
            assert 0 <= x0 < x1 <= width
            assert 0 <= y0 < y1 <= height
            assert hand.landmarks_px.shape == (21, 2)
            within = (hand.landmarks_px >= [x0 - 1, y0 - 1]) & (hand.landmarks_px <= [x1 + 1, y1 + 1])
            inside.append(within.all())
    assert np.mean(inside) > 0.85  # the others are cut by the frame's edge


def test_hands_hardly_cover_each_other(rendered):
    for scene in rendered[0]:
        for one in scene.hands:
            for two in scene.hands:
                low, high = np.maximum(one.box_px[:2], two.box_px[:2]), np.minimum(one.box_px[2:], two.box_px[2:])
                area = min((hand.box_px[2:] - hand.box_px[:2]).prod() for hand in (one, two))
                assert one is two or np.clip(high - low, 0, None).prod() < 0.2 * area


def test_nothing_else_changes_when_occlusion_is_off(rendered):
    scenes, sizes = rendered
    bare, same = FrameSettings(CLASSES, 160, 0, "test", False), 0
    for index in range(16):
        without = render_frame(bare, index, tuple(map(int, sizes[index])))
        for one, two in zip(scenes[index].hands, without.hands, strict=True):
            np.testing.assert_array_equal(one.landmarks_px, two.landmarks_px)
        same += bool((scenes[index].image == without.image).all())
    assert 4 < same < 16


def test_hands_are_drawn_where_their_boxes_are(rendered):
    """Skin that is lit and shaded has more edges than the soft background round it."""
    inside, outside = [], []
    for scene in rendered[0]:
        edges = np.abs(np.diff(scene.image.astype(int), axis=1)).sum(2)
        covered = np.zeros(edges.shape, bool)
        for hand in scene.hands:
            x0, y0, x1, y1 = hand.box_px.astype(int)
            covered[y0:y1, x0:x1] = True
        if covered.any():
            inside.append(edges[covered].mean())
            outside.append(edges[~covered].mean())
    assert np.mean(np.array(inside) > outside) > 0.9


def test_a_row_is_decided_by_its_settings_and_index(rendered):
    scenes, sizes = rendered
    size = tuple(map(int, sizes[17]))
    again = render_frame(SETTINGS, 17, size)
    np.testing.assert_array_equal(again.image, scenes[17].image)
    for other in (FrameSettings(CLASSES, 160, 1, "test", True), FrameSettings(CLASSES, 160, 0, "train", True)):
        assert (render_frame(other, 17, size).image != again.image).mean() > 0.5


@pytest.mark.parametrize("is_right", [False, True])
def test_the_second_hand_of_a_person_is_the_other_one(is_right: bool):
    person = draw_person(0, "test", 3)
    first = SimpleNamespace(held=SimpleNamespace(is_right=is_right))
    for seed in range(6):
        assert _hold("palm", person, [first], np.random.default_rng(seed)).is_right != is_right


def test_idle_hands_make_none_of_the_gestures():
    """A finger of a gesture is straight, closed or bent as for ok; those of an idle hand that is held up are none."""
    for seed in range(200):
        idle = sample_idle(np.random.default_rng(seed))
        assert idle.name == NO_GESTURE
        bends = np.array(idle.flexion)[:, :2].sum(1)
        is_up = abs(idle.view.roll) < 60
        for gesture in GESTURES:
            wanted = np.array(gesture.flexion)[:, :2].sum(1)
            same_way_up = abs(((idle.view.roll - gesture.view.roll + 180) % 360) - 180) < 60
            if is_up and same_way_up:
                assert np.abs(bends - wanted).max() > 25, (seed, gesture.name)


def test_it_is_a_source_and_reads_nothing_before_it_is_asked(tmp_path: Path):
    source = make(tmp_path / "cache")
    assert isinstance(source, FrameSource)
    assert source.class_names() == CLASSES
    assert not (tmp_path / "cache").exists()


def test_a_split_with_its_hands(tmp_path: Path):
    source = make(tmp_path)
    test = source.load_frames("test")
    assert len(test) == 12
    assert test.name == "scenes/test"
    assert isinstance(test.pixels, np.memmap)
    assert len(set(test.ids)) == 12
    assert test.complete.all()
    settings = source.settings("test")
    for row in range(12):
        frame = test.frame(row)
        scene = render_frame(settings, row, frame.image.shape[:2])
        np.testing.assert_array_equal(frame.image, scene.image)
        assert frame.labels.tolist() == [hand.label for hand in scene.hands]
        for number, hand in enumerate(scene.hands):
            np.testing.assert_array_equal(frame.boxes_px[number], hand.box_px)
            np.testing.assert_array_equal(frame.landmarks_px[number], hand.landmarks_px)


def test_a_frame_is_known_by_its_gesture_where_its_hands_agree(tmp_path: Path):
    train = make(tmp_path, num_train=48).load_frames("train")
    idle = CLASSES.index(NO_GESTURE)
    for row in range(48):
        gestures = {int(label) for label in train.frame(row).labels if label != idle}
        assert train.frame_labels[row] == (gestures.pop() if len(gestures) == 1 else -1)
    assert 0 < (train.frame_labels == -1).sum() < 24


def test_the_second_load_renders_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    first = make(tmp_path).load_frames("dev")
    monkeypatch.setattr(scenes_module, "render_split", None)
    assert make(tmp_path).load_frames("dev").fingerprint == first.fingerprint
    with pytest.raises(TypeError, match="not callable"):
        make(tmp_path, seed=1).load_frames("dev")


def test_the_number_of_processes_changes_nothing(tmp_path: Path):
    alone, shared = (make(tmp_path / str(n), num_workers=n).load_frames("train") for n in (1, 2))
    assert alone.fingerprint == shared.fingerprint
    np.testing.assert_array_equal(alone.pixels, shared.pixels)
    np.testing.assert_array_equal(alone.landmarks_px, shared.landmarks_px)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"longest_px": 100}, "longest_px=100"),
        ({"num_dev": 3}, "num_dev=3.*12 gestures"),
        ({"seed": -1}, "seed=-1"),
        ({"num_workers": 0}, "num_workers=0"),
        ({"classes": ["fist", "wave"]}, "wave"),
        ({"classes": ["no_gesture"]}, "none given"),
    ],
)
def test_bad_settings_are_refused(tmp_path: Path, changes, message: str):
    with pytest.raises(ValueError, match=message):
        make(tmp_path, **changes)


def test_an_unknown_split_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=r"'validation'.*train, dev or test"):
        make(tmp_path).load_frames("validation")  # type: ignore[arg-type]


def test_contact_sheet_shows_frames_with_their_boxes(tmp_path: Path):
    test = make(tmp_path).load_frames("test")
    frames = [test.frame(row) for row in range(5)]
    sheet = frame_sheet(frames, test.classes, num_columns=2, cell_px=64, gap_px=2)
    assert sheet.size == (2 * 66 + 2, 3 * 66 + 2)
    with_hand = next(frame for frame in frames if len(frame.labels))
    green = (np.asarray(frame_sheet([with_hand], test.classes, cell_px=64)) == (0, 200, 0)).all(-1)
    assert green.any()
    with pytest.raises(ValueError, match="num_columns=0"):
        frame_sheet(frames, test.classes, num_columns=0)


@pytest.mark.parametrize(
    ("index", "quarters", "fingertip"),
    [
        (2, [[122.1, 117.7], [122.8, 115.4]], [130.86, 58.25]),
        (5, [[179.1, 197.4], [156.9, 199.1]], [81.24, 55.90]),
    ],
)
def test_other_pixels_need_another_frame_version(rendered, index: int, quarters, fingertip):
    """Caches are found by the version: who changes how frames look raises FRAME_VERSION, then these numbers."""
    scene = rendered[0][index]
    height, width, _ = scene.image.shape
    means = scene.image.reshape(2, height // 2, 2, width // 2, 3).mean((1, 3, 4))
    np.testing.assert_allclose(means, quarters, atol=1.0)
    np.testing.assert_allclose(scene.hands[0].landmarks_px[8], fingertip, atol=0.1)


@pytest.mark.slow
def test_fifteen_frames_of_320_pixels_a_second_on_one_core():
    import time

    settings = FrameSettings(CLASSES, 320, 0, "train", True)
    sizes = [tuple(map(int, size)) for size in frame_sizes(settings, 60)]
    render_frame(settings, 0, sizes[0])
    start = time.process_time()
    for index, size in enumerate(sizes):
        render_frame(settings, index, size)
    assert 60 / (time.process_time() - start) >= 15
