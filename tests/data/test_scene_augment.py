import numpy as np
import pytest

from openautoglm.data.draws import generator
from openautoglm.data.scene_augment import SceneAugment
from openautoglm.data.views import see_hands

SIZE = 64


def pitches(augment: SceneAugment, frame, count: int = 300, **options) -> np.ndarray:
    maps = [augment.view(frame, SIZE, generator(0, number), mirror=False, **options) for number in range(count)]
    return np.array([np.sqrt(abs(np.linalg.det(to_frame[:, :2]))) for to_frame in maps])


def test_zoom_is_measured_against_the_letterbox(make_frame):
    frame = make_frame(128, 96, [], [])
    zoom = 2.0 / pitches(SceneAugment(), frame)  # the letterbox shrinks by 2
    assert 0.5 <= zoom.min() < 0.55
    assert 1.8 < zoom.max() <= 2.0
    assert np.median(zoom) == pytest.approx(1.0, abs=0.15)
    assert pitches(SceneAugment(zoom=(1.0, 1.0)), frame, 3).tolist() == [pytest.approx(2.0)] * 3


@pytest.mark.parametrize("shape", [(128, 96), (96, 128), (40, 40)])
def test_a_hand_stays_in_view_and_without_that_it_need_not(make_frame, shape):
    frame = make_frame(*shape, [[2, 3, 12, 14], [shape[0] - 12, shape[1] - 9, shape[0] - 2, shape[1] - 1]], [0, 2])

    def kept(augment: SceneAugment) -> np.ndarray:
        seen = []
        for number in range(200):
            to_frame = augment.view(frame, SIZE, generator(1, number), mirror=True)
            seen.append(see_hands(frame, to_frame, SIZE).visible.max() > 0.999)
        return np.array(seen)

    straight = SceneAugment(prob_turned=0.0, prob_keep_hand=1.0, zoom=(1.0, 2.0))
    assert kept(straight).all()
    assert kept(SceneAugment(prob_turned=0.0, prob_keep_hand=0.0, zoom=(1.9, 2.0))).mean() < 0.5


def test_a_hand_larger_than_the_view_is_in_its_middle(make_frame):
    frame = make_frame(100, 100, [[10, 10, 90, 90]], [0])
    to_frame = SceneAugment(zoom=(2.0, 2.0), prob_keep_hand=1.0).view(frame, SIZE, generator(0), mirror=False)
    np.testing.assert_allclose(to_frame @ [SIZE / 2, SIZE / 2, 1], [50, 50])


def test_small_frames_lie_anywhere_in_the_view(make_frame):
    frame = make_frame(64, 64, [], [])
    corners = []
    for number in range(200):
        to_frame = SceneAugment(zoom=(0.5, 0.5), prob_turned=0.0).view(frame, SIZE, generator(2, number), mirror=False)
        corners.append(-to_frame[:, 2] / 2)
    corners = np.array(corners)
    assert corners.min() >= -1e-9
    assert corners.max() <= 32 + 1e-9
    assert (np.ptp(corners, axis=0) > 28).all()


def test_turning_and_mirroring_happen_as_often_as_asked_for(make_frame):
    frame = make_frame(64, 48, [[5, 5, 20, 30]], [0])
    augment = SceneAugment(rotate_deg=20.0, prob_turned=0.5, prob_mirror=0.5)
    maps = {
        mirror: np.array([augment.view(frame, SIZE, generator(3, n), mirror=mirror)[:, :2] for n in range(300)])
        for mirror in (True, False)
    }
    mirrored = np.linalg.det(maps[True]) < 0
    assert 100 < mirrored.sum() < 200
    assert (np.linalg.det(maps[False]) > 0).all()
    angles = np.rad2deg(np.arctan2(maps[False][:, 0, 1], maps[False][:, 0, 0]))
    assert 100 < (angles == 0).sum() < 200
    assert 15 < np.abs(angles).max() <= 20


def test_crops_surround_the_hand_unevenly():
    augment = SceneAugment(crop_margin=(0.1, 0.3), crop_shift=0.1, prob_turned=0.0)
    box = np.array([40, 20, 60, 70], np.float32)
    sides, shifts = [], []
    for number in range(300):
        to_frame = augment.crop(box, 32, generator(4, number), mirror=True)
        sides.append(abs(to_frame[1, 1]) * 32)
        shifts.append(to_frame @ [16, 16, 1] - [50, 45])
    assert 60 <= min(sides) < 61
    assert 79 < max(sides) <= 80
    assert 4.5 < np.abs(shifts).max() <= 5


def test_closer_views_surround_a_hand_or_any_place(make_frame):
    frame = make_frame(400, 300, [[200, 100, 240, 180]], [0])

    def middles_and_sides(**options) -> np.ndarray:
        augment = SceneAugment(prob_turned=0.0, near_zoom=(1.25, 2.0), near_shift=0.2, **options)
        maps = [augment.near(frame, SIZE, generator(3, number), mirror=False) for number in range(200)]
        return np.array([[*(to_frame @ [SIZE / 2, SIZE / 2, 1.0]), SIZE * to_frame[0, 0]] for to_frame in maps])

    x, y, sides = middles_and_sides(prob_elsewhere=0.0).T
    assert 204 <= x.min() < 206  # the middle, 220, and a fifth of the longer side, 80
    assert 124 <= y.min() < 126
    assert 154 < y.max() <= 156
    assert 100 <= sides.min() < 103
    assert 155 < sides.max() <= 160
    x, y, sides = middles_and_sides(prob_elsewhere=1.0).T
    assert x.min() < 50
    assert x.max() > 350
    assert sides.min() < 40
    assert sides.max() > 220
    assert np.abs(x - 220).max() > 100


@pytest.mark.parametrize(
    ("options", "message"),
    [({"zoom": (0.0, 1.0)}, "zoom"), ({"zoom": (2.0, 1.0)}, "zoom"), ({"crop_margin": (-0.5, 0.1)}, "crop_margin")],
)
def test_wrong_ranges(options, message: str):
    with pytest.raises(ValueError, match=message):
        SceneAugment(**options)
