import numpy as np
import pytest

from openautoglm.data.synthetic.gestures import DEFAULT_CLASSES
from openautoglm.data.synthetic.pictures import NUM_PERSONS, PictureSettings, draw_person, render_row

SETTINGS = PictureSettings(DEFAULT_CLASSES, 64, 0, "test", True)


@pytest.fixture(scope="module")
def rows():
    return [render_row(SETTINGS, index) for index in range(48)]


def test_a_row_is_decided_by_its_settings_and_index(rows) -> None:
    again = render_row(SETTINGS, 17)
    np.testing.assert_array_equal(again.picture.image, rows[17].picture.image)
    np.testing.assert_array_equal(again.picture.landmarks_px, rows[17].picture.landmarks_px)
    for other in (
        PictureSettings(DEFAULT_CLASSES, 64, 1, "test", True),
        PictureSettings(DEFAULT_CLASSES, 64, 0, "train", True),
    ):
        assert (render_row(other, 17).picture.image != again.picture.image).mean() > 0.5


def test_labels_are_balanced_and_both_hands_occur(rows) -> None:
    assert np.bincount([row.label for row in rows]).tolist() == [4] * 12
    assert 8 < sum(row.picture.is_right for row in rows) < 40


def test_boxes_and_landmarks_lie_on_the_hand(rows) -> None:
    for row in rows:
        x0, y0, x1, y1 = row.picture.box_px
        assert 0 <= x0 < x1 <= 64
        assert 0 <= y0 < y1 <= 64
        assert max(x1 - x0, y1 - y0) > 0.7 * 64
        assert row.picture.landmarks_px.shape == (21, 2)
        assert (row.picture.landmarks_px >= [x0 - 1, y0 - 1]).all()
        assert (row.picture.landmarks_px <= [x1 + 1, y1 + 1]).all()


def test_handedness_says_on_which_side_the_thumb_is(rows) -> None:
    palm = DEFAULT_CLASSES.index("palm")
    sides = []
    for index in range(palm, 12 * 12, 12):
        picture = render_row(SETTINGS, index).picture
        sides.append((picture.landmarks_px[4, 0] > picture.landmarks_px[20, 0]) == picture.is_right)
    assert all(sides)


def test_a_like_points_up_and_a_dislike_down(rows) -> None:
    for row in rows:
        thumb, wrist = row.picture.landmarks_px[4, 1], row.picture.landmarks_px[1, 1]
        if DEFAULT_CLASSES[row.label] == "like":
            assert thumb < wrist
        if DEFAULT_CLASSES[row.label] == "dislike":
            assert thumb > wrist


def test_nothing_else_changes_when_occlusion_is_off() -> None:
    bare = PictureSettings(DEFAULT_CLASSES, 64, 0, "test", False)
    same = 0
    for index in range(12):
        with_things, without = render_row(SETTINGS, index), render_row(bare, index)
        np.testing.assert_array_equal(with_things.picture.landmarks_px, without.picture.landmarks_px)
        assert with_things.person == without.person
        same += bool((with_things.picture.image == without.picture.image).all())
    assert 2 <= same < 12


def test_no_person_is_in_two_splits() -> None:
    hands, skins = set(), set()
    for split, count in NUM_PERSONS.items():
        for number in range(count):
            person = draw_person(0, split, number)
            hands.add(person.shape.phalanges_mm.tobytes() + person.shape.radii_mm.tobytes())
            skins.add(person.skin.back.tobytes() + person.skin.palm.tobytes())
    assert len(hands) == len(skins) == sum(NUM_PERSONS.values())


def test_skins_cover_the_whole_scale() -> None:
    light = [float(draw_person(0, "test", number).skin.back.mean()) for number in range(NUM_PERSONS["test"])]
    tenths = np.histogram(light, bins=6, range=(60, 225))[0]
    assert (tenths > 15).all()


@pytest.mark.slow
def test_a_hundred_pictures_of_128_pixels_a_second_on_one_core() -> None:
    import time

    settings = PictureSettings(DEFAULT_CLASSES, 128, 0, "train", True)
    render_row(settings, 0)
    start = time.process_time()
    for index in range(120):
        render_row(settings, index)
    assert 120 / (time.process_time() - start) >= 100


@pytest.mark.parametrize(
    ("index", "quarters", "fingertip"),
    [
        (0, [[123.2, 121.6], [137.3, 124.6]], [35.83, 52.77]),
        (7, [[33.9, 61.8], [35.2, 96.9]], [43.64, 28.39]),
    ],
)
def test_other_pixels_need_another_renderer_version(index: int, quarters, fingertip) -> None:
    """Caches are found by the version: who changes the renderer raises RENDERER_VERSION, then these numbers."""
    picture = render_row(PictureSettings(DEFAULT_CLASSES, 96, 0, "test", True), index).picture
    means = picture.image.reshape(2, 48, 2, 48, 3).mean((1, 3, 4))
    np.testing.assert_allclose(means, quarters, atol=1.0)
    np.testing.assert_allclose(picture.landmarks_px[8], fingertip, atol=0.1)
