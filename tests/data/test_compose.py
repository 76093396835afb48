from dataclasses import replace

import numpy as np
import pytest

from openautoglm.data.base import ImageSet
from openautoglm.data.compose import Composer, _free_part
from openautoglm.data.draws import generator


def crops(count: int = 6, *, side: int = 40, boxes: bool = False) -> ImageSet:
    """Green hands, half as wide as high, between padding."""
    images = np.full((count, side, side, 3), 128, np.uint8)
    images[:, :, side // 4 : 3 * side // 4] = (0, 255, 0)
    return ImageSet(
        name="crops",
        classes=("fist", "palm"),
        images=images,
        labels=np.arange(count, dtype=np.int64) % 3 - 1,
        ids=tuple(map(str, range(count))),
        fingerprint="none",
        boxes_px=np.tile(np.array([15, 10, 25, 30], np.float32), (count, 1)) if boxes else None,
    )


def is_green(image: np.ndarray) -> np.ndarray:
    return (image[..., 1] > 250) & (image[..., 0] < 5) & (image[..., 2] < 5)


def red_frame(make_frame, boxes: list[list[float]], **options):
    frame = make_frame(90, 60, boxes, [0] * len(boxes), **options)
    image = np.zeros_like(frame.image)
    image[..., 0] = 255
    for x0, y0, x1, y1 in np.array(boxes, int).reshape(-1, 4):
        image[y0:y1, x0:x1] = (0, 0, 255)
    return replace(frame, image=image)


def test_every_hand_has_its_box_and_label():
    composer = Composer(crops=crops(), grounds=(), longest_px=200, hand=(0.2, 0.3))
    for number in range(20):
        frame = composer([1, 2, 3], generator(number))
        assert max(frame.image.shape[:2]) == 200
        assert frame.complete
        assert set(frame.labels) <= {0, 1, -1}
        assert len(frame.labels) == len(frame.boxes_px) == len(frame.landmarks_px) >= 1
        assert np.isnan(frame.landmarks_px).all()
        for x0, y0, x1, y1 in frame.boxes_px.astype(int):
            assert 40 <= y1 - y0 <= 60
            assert (x1 - x0) * 2 == pytest.approx(y1 - y0, abs=1)
            core = frame.image[y0 + 8 : y1 - 8, x0 + 5 : x1 - 5]
            assert is_green(core).all()
    alone = composer([1], generator(0))
    assert alone.labels.tolist() == [0]
    x0, y0, x1, _ = alone.boxes_px[0].astype(int)
    assert not is_green(alone.image[y0, x0:x1]).any()  # the edge is soft


def test_the_hand_is_where_the_boxes_of_the_crops_say():
    frame = Composer(crops=crops(boxes=True), grounds=(), longest_px=200, hand=(0.2, 0.2))([0], generator(0))
    (box,) = frame.boxes_px
    assert (box[2:] - box[:2]).tolist() == [20, 40]


def test_hands_do_not_cover_each_other():
    composer = Composer(crops=crops(), grounds=(), longest_px=100, hand=(0.4, 0.5))
    counts = []
    for number in range(20):
        boxes = composer(range(5), generator(number)).boxes_px
        counts.append(len(boxes))
        for one in range(len(boxes)):
            for two in range(one):
                low, high = np.maximum(boxes[one], boxes[two]), np.minimum(boxes[one], boxes[two])
                assert np.clip(high[2:] - low[:2], 0, None).prod() <= 0.051 * 50 * 25
    assert min(counts) < 5  # what finds no room is left out


def test_it_follows_from_the_generator_alone():
    composer = Composer(crops=crops(), grounds=())
    one, two, other = (composer([0, 1], generator(seed)) for seed in (3, 3, 4))
    assert (one.image == two.image).all()
    assert (one.boxes_px == two.boxes_px).all()
    assert one.image.shape != other.image.shape or (one.image != other.image).any()


def test_backgrounds_show_no_hand_and_no_incomplete_frame(make_frame, make_frames):
    with_hand = red_frame(make_frame, [[30, 20, 45, 40]])
    unsure = red_frame(make_frame, [], complete=False)
    unsure = replace(unsure, image=np.full_like(unsure.image, (0, 0, 255)))
    frames = make_frames([with_hand, unsure])
    composer = Composer(crops=crops(), grounds=(frames,), prob_backdrop=0.0, prob_swap=0.0, longest_px=120)
    for number in range(30):
        image = composer([], generator(number)).image
        assert (image[..., 0] > 200).all()  # red as the frame, never blue as the hand


def test_drawn_backgrounds_come_as_often_as_asked_for_and_where_there_is_no_room(make_frame, make_frames):
    free, full = red_frame(make_frame, []), red_frame(make_frame, [[5, 5, 85, 55]])

    def reds(frame, prob_backdrop: float) -> int:
        composer = Composer(
            crops=crops(), grounds=(make_frames([frame]),), prob_backdrop=prob_backdrop, prob_swap=0.0, longest_px=60
        )
        images = [composer([], generator(number)).image for number in range(60)]
        return sum(bool(((image - [255, 0, 0]) == 0).all(-1).mean() > 0.3) for image in images)

    assert reds(free, 0.0) == 60
    assert 15 < reds(free, 0.5) < 50
    assert reds(full, 0.0) == 0


def test_crops_take_the_places_of_hands(make_frame, make_frames):
    frame = red_frame(make_frame, [[30, 20, 40, 40], [60, 10, 70, 30]])
    frame = replace(frame, labels=np.array([-1, 1]))
    composer = Composer(crops=crops(boxes=True), grounds=(make_frames([frame]),), prob_swap=1.0, longest_px=180)
    for number in range(20):
        swapped = composer([1], generator(number))
        assert swapped.image.shape == (120, 180, 3)
        assert swapped.complete
        boxes, old = swapped.boxes_px, 2 * frame.boxes_px
        green = is_green(swapped.image)
        (place,) = (one for one in range(2) if green[tuple(old[one].reshape(2, 2).mean(0).astype(int)[::-1])])
        assert np.array_equal(boxes[1 - place], old[1 - place])
        x0, y0, x1, y1 = boxes[place].astype(int)
        # as high as the hand or a quarter more, in its middle, with the crop's own shape, its pixels and its label
        assert 40 <= y1 - y0 <= 50
        assert (boxes[place, :2] + boxes[place, 2:]) / 2 == pytest.approx((old[place, :2] + old[place, 2:]) / 2, abs=1)
        assert swapped.labels[place] == 0
        assert swapped.labels[1 - place] == frame.labels[1 - place]
        assert green[y0 + 8 : y1 - 8, x0 + 5 : x1 - 5].all()


def test_a_swap_keeps_clear_of_other_hands_and_of_the_edge(make_frame, make_frames):
    beside = red_frame(make_frame, [[30, 20, 40, 40], [35, 20, 45, 40], [0, 0, 3, 30]])
    composer = Composer(crops=crops(boxes=True), grounds=(make_frames([beside]),), prob_swap=1.0, longest_px=90)
    for number in range(20):
        assert np.array_equal(composer([0, 1, 2], generator(number)).boxes_px, beside.boxes_px)


def test_free_strips_lie_beside_all_hands(make_frame):
    frame = make_frame(90, 60, [[30, 20, 40, 40], [45, 10, 50, 30]], [0, 0])
    found = {_free_part(frame, generator(number)) for number in range(60)}
    assert found == {(0, 0, 30, 60), (50, 0, 90, 60), (0, 40, 90, 60)}  # above, 10 of 60 px are too narrow
    assert _free_part(make_frame(90, 60, [], []), generator(0)) == (0, 0, 90, 60)
    assert _free_part(make_frame(90, 60, [[5, 5, 85, 55]], [0]), generator(0)) is None


@pytest.mark.parametrize("hand", [(0.0, 0.5), (0.6, 0.5), (0.5, 1.5)])
def test_wrong_sizes(hand):
    with pytest.raises(ValueError, match="hand="):
        Composer(crops=crops(), grounds=(), hand=hand)


def test_crops_mostly_go_to_hands_of_the_first_source(make_frame, make_frames):
    first, second = (make_frames([make_frame(90, 60, [box], [1])]) for box in ([10, 10, 20, 30], [60, 30, 70, 50]))
    composer = Composer(crops=crops(), grounds=(first, second), prob_swap=1.0, longest_px=90)
    left = sum(composer([], generator(number)).boxes_px[0, 0] == 10 for number in range(200))
    assert 115 < left < 165
    alone = Composer(
        crops=crops(), grounds=(make_frames([make_frame(90, 60, [], [])]), second), prob_swap=1.0, longest_px=90
    )
    assert all(alone([], generator(number)).boxes_px[0, 0] == 60 for number in range(5))


def test_a_mosaic_shows_frames_with_their_hands_small(make_frame, make_frames):
    frame = red_frame(make_frame, [[30, 20, 42, 44]])
    grounds = (make_frames([replace(frame, labels=np.array([1]))]),)
    composer = Composer(crops=crops(boxes=True), grounds=grounds, prob_mosaic=1.0, longest_px=180)
    numbers = []
    for number in range(30):
        mosaic = composer([1], generator(number))
        assert 2 * 0.4 * 180 - 1 <= max(mosaic.image.shape[:2]) <= 2 * 180
        assert mosaic.complete
        numbers.append(len(mosaic.boxes_px))
        assert sorted(mosaic.labels, reverse=True) == [1] * (len(mosaic.labels) - 1) + [0]  # one is covered by the crop
        for (x0, y0, x1, y1), label in zip(mosaic.boxes_px, mosaic.labels, strict=True):
            assert y1 - y0 <= 0.6 * max(mosaic.image.shape[:2]) / 2
            middle = mosaic.image[int(y0 + y1) // 2, int(x0 + x1) // 2]
            assert is_green(middle) if label == 0 else middle.tolist() == [0, 0, 255]
    assert set(numbers) <= {1, 2, 3, 4}
    assert len(set(numbers)) > 1
    again = composer([1], generator(29))
    assert np.array_equal(mosaic.image, again.image)
