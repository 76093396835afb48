import numpy as np
import pytest
from PIL import Image

from openautoglm.data.frames import Frame
from openautoglm.data.images import pad_square
from openautoglm.data.views import crop_map, letterbox_map, see_hands, take_view, view_map
from openautoglm.runtime.geometry import letterbox, square_crop
from openautoglm.runtime.pixels import as_input


def smooth(width: int, height: int) -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def into_picture(to_frame: np.ndarray, points: np.ndarray) -> np.ndarray:
    return (points - to_frame[:, 2]) @ np.linalg.inv(to_frame[:, :2]).T


@pytest.mark.parametrize("shape", [(90, 60), (60, 90), (64, 64), (31, 500), (17, 23)])
def test_a_letterbox_is_what_pad_square_makes_of_a_frame(shape):
    image = smooth(*shape)
    height, width = image.shape[:2]
    to_frame = letterbox_map(height, width, 48)
    assert (take_view(image, to_frame, 48) == pad_square(Image.fromarray(image), 48)).all()
    corners = into_picture(to_frame, np.array([[0, 0], [width, height]]))
    assert corners.min() == pytest.approx(0)
    assert corners.max() == pytest.approx(48)
    np.testing.assert_allclose(corners.sum(0), [48, 48], atol=1.01)  # in the middle, to a pixel


def test_a_letterbox_by_hand():
    # 80 x 40 into 20: a quarter of the size, 5 pixels of grey above and below
    to_frame = letterbox_map(40, 80, 20)
    assert to_frame.tolist() == [[4, 0, 0], [0, 4, -20]]
    view = take_view(np.full((40, 80, 3), 200, np.uint8), to_frame, 20)
    assert (view[:5] == 128).all()
    assert (view[5:15] == 200).all()
    assert (view[15:] == 128).all()


def test_a_crop_by_hand():
    image = np.zeros((40, 80, 3), np.uint8)
    image[10:20, 4:8] = 255
    # 10 px high with half of that on each side: 20 px round (6, 15), of which 4 lie left of the frame
    to_frame = crop_map(np.array([4, 10, 8, 20], np.float32), 20, margin=0.5)
    assert to_frame.tolist() == [[1, 0, -4], [0, 1, 5]]
    view = take_view(image, to_frame, 20)
    assert (view[:, :4] == 128).all()
    assert (view[5:15, 8:12] == 255).all()
    assert view[:, 4:].sum() == 40 * 3 * 255


@pytest.mark.parametrize("shape", [(90, 60), (61, 97), (300, 41), (20, 20)])
def test_the_recogniser_sees_the_same_to_the_bit(shape):
    image, random = smooth(*shape), np.random.default_rng(1)
    picture, (height, width) = Image.fromarray(image), image.shape[:2]
    views = [(take_view(image, letterbox_map(height, width, 32), 32), letterbox(width, height, 32))]
    for _ in range(20):
        x, y, w, h = random.random(4) * np.tile(shape, 2) * 0.6
        box = np.array([x, y, x + w + 2, y + h + 2], np.float32)
        placement = square_crop(tuple(map(float, box)), width, height, size=24, margin=0.1)
        views.append((take_view(image, crop_map(box, 24, margin=0.1), 24), placement))
    for view, placement in views:
        np.testing.assert_array_equal(view.transpose(2, 0, 1) / np.float32(255), as_input(picture, placement)[0])


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("degrees", [0, 7, -30, 90])
@pytest.mark.parametrize("pitch", [0.5, 1.0, 2.7])
def test_pixels_follow_the_map(degrees: int, pitch: float, mirror: bool):
    size, middle = 64, np.array([120.0, 90.0])
    to_frame = view_map(middle_px=middle, pitch=pitch, size=size, angle=np.deg2rad(degrees), mirror=mirror)
    np.testing.assert_allclose(to_frame @ [size / 2, size / 2, 1], middle)
    assert np.sign(np.linalg.det(to_frame[:, :2])) == (-1 if mirror else 1)
    # a frame whose red is its x and whose green is its y, as steep as 256 values allow
    slope = {0.5: 5, 1.0: 2.5, 2.7: 1}[pitch]
    places = np.stack(np.meshgrid(np.arange(240), np.arange(180)), 2) + 0.5
    colours = np.concatenate([(slope * (places - middle) + 128).clip(0, 255), places[..., :1]], 2)
    view = take_view(np.rint(colours).astype(np.uint8), to_frame, size).astype(float)
    shown = np.stack(np.meshgrid(np.arange(size), np.arange(size)), 2) + 0.5
    expected = shown @ to_frame[:, :2].T + to_frame[:, 2]
    errors = (view[..., :2] - 128) / slope + middle - expected
    inside = ((expected > 3) & (expected < [237, 177]) & (view[..., :2] > 5) & (view[..., :2] < 250)).all(-1)
    assert inside.mean() > 0.8
    assert np.abs(errors[inside].mean(0)).max() < 0.3 * pitch  # half a value is lost by rounding down
    assert errors[inside].std(0).max() < 0.25 * pitch


def test_mirroring_a_straight_view_is_exact():
    image, middle = smooth(90, 70), np.array([40.3, 30.1])
    plain, mirrored = (
        take_view(image, view_map(middle_px=middle, pitch=1.3, size=32, mirror=mirror), 32) for mirror in (False, True)
    )
    assert (plain[:, ::-1] == mirrored).all()


def test_shrinking_does_not_alias():
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    for angle in (0.0, 0.1):
        to_frame = view_map(middle_px=np.array([128.0, 128.0]), pitch=4.0, size=48, angle=angle)
        assert np.abs(take_view(stripes, to_frame, 48).astype(int) - 127).max() < 12


def test_a_view_beside_the_frame_is_grey():
    for angle in (0.0, 0.3):
        to_frame = view_map(middle_px=np.array([500.0, 500.0]), pitch=1.0, size=16, angle=angle)
        assert (take_view(smooth(50, 50), to_frame, 16) == 128).all()


def frame_with(boxes: list[list[float]], landmarks: np.ndarray | None = None) -> Frame:
    points = np.full((len(boxes), 21, 2), np.nan, np.float32) if landmarks is None else landmarks.astype(np.float32)
    return Frame(
        image=np.zeros((100, 100, 3), np.uint8),
        boxes_px=np.array(boxes, np.float32).reshape(-1, 4),
        labels=np.zeros(len(boxes), np.int64),
        landmarks_px=points,
        complete=True,
    )


def test_boxes_move_grow_and_mirror_with_the_frame():
    frame = frame_with([[10, 20, 30, 60]])
    plain = see_hands(frame, view_map(middle_px=np.array([50.0, 50.0]), pitch=0.5, size=200), 200)
    np.testing.assert_allclose(plain.boxes_px, [[20, 40, 60, 120]])
    assert plain.visible.tolist() == [1]
    mirrored = see_hands(frame, view_map(middle_px=np.array([50.0, 50.0]), pitch=0.5, size=200, mirror=True), 200)
    np.testing.assert_allclose(mirrored.boxes_px, [[140, 40, 180, 120]])
    quarter = see_hands(frame, view_map(middle_px=np.array([20.0, 20.0]), pitch=1.0, size=20), 20)
    assert quarter.visible.tolist() == [pytest.approx(10 * 20 / 800)]  # x from 10 to 30 of 10 to 30, y from 20 to 30
    nothing = see_hands(frame_with([]), view_map(middle_px=np.zeros(2), pitch=1.0, size=20), 20)
    assert nothing.boxes_px.shape == (0, 4)


def test_a_box_without_landmarks_turns_like_the_ellipse_in_it():
    frame = frame_with([[40, 30, 60, 70]])
    right = see_hands(frame, view_map(middle_px=np.array([50.0, 50.0]), pitch=1.0, size=100, angle=np.pi / 2), 100)
    np.testing.assert_allclose(right.boxes_px, [[30, 40, 70, 60]])
    half = see_hands(frame, view_map(middle_px=np.array([50.0, 50.0]), pitch=1.0, size=100, angle=np.pi / 4), 100)
    side = np.sqrt((10**2 + 20**2) / 2)  # the turned corners would make it 21.2
    np.testing.assert_allclose(half.boxes_px, [[50 - side, 50 - side, 50 + side, 50 + side]])


@pytest.mark.parametrize("mirror", [False, True])
def test_landmarks_say_where_a_turned_hand_is(mirror: bool):
    points = np.random.default_rng(0).uniform([42, 34], [58, 68], (1, 21, 2))
    frame = frame_with([[40, 30, 60, 70]], points)
    middle = np.array([50.0, 50.0])
    straight = see_hands(frame, view_map(middle_px=middle, pitch=1.0, size=100, mirror=mirror), 100)
    np.testing.assert_allclose(straight.boxes_px, [[40, 30, 60, 70]], atol=1e-5)  # the box itself, when nothing turns
    to_frame = view_map(middle_px=middle, pitch=1.0, size=100, angle=0.2, mirror=mirror)
    box = see_hands(frame, to_frame, 100).boxes_px[0]
    turned = into_picture(to_frame, points[0])
    margins = np.r_[points[0].min(0) - [40, 30], [60, 70] - points[0].max(0)]
    if mirror:
        margins = margins[[2, 1, 0, 3]]
    np.testing.assert_allclose(box[:2], turned.min(0) - margins[:2], atol=1e-4)
    np.testing.assert_allclose(box[2:], turned.max(0) + margins[2:], atol=1e-4)
