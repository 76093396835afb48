from dataclasses import replace

import numpy as np
import pytest

from openautoglm.bench.detection import DetectionScores, ScoredBoxes, average_precision, score_frames, show_from
from openautoglm.data.frames import FrameSet
from openautoglm.runtime.geometry import box_iou
from openautoglm.types import Hand

LEFT, RIGHT, FAR = (0.0, 0.0, 10.0, 10.0), (20.0, 0.0, 30.0, 10.0), (50.0, 50.0, 60.0, 60.0)
CLASSES = ("fist", "no_gesture", "palm")


def found(*hands: tuple[float, tuple[float, float, float, float]]) -> ScoredBoxes:
    return ScoredBoxes(
        np.array([box for _, box in hands], float).reshape(-1, 4), np.array([score for score, _ in hands], float)
    )


def truth(*boxes: tuple[float, float, float, float]) -> np.ndarray:
    return np.array(boxes, float).reshape(-1, 4)


def frame_set(frames: list[list[tuple[int, tuple[float, ...]]]], **changes) -> FrameSet:
    hands = [hand for frame in frames for hand in frame]
    made = FrameSet(
        name="made/test",
        classes=CLASSES,
        ids=tuple(map(str, range(len(frames)))),
        fingerprint="",
        pixels=np.zeros(12 * len(frames), np.uint8),
        sizes_px=np.full((len(frames), 2), 2),
        num_hands=np.array([len(frame) for frame in frames]),
        boxes_px=np.array([box for _, box in hands], np.float32).reshape(-1, 4),
        labels=np.array([label for label, _ in hands], np.int64),
        landmarks_px=np.full((len(hands), 21, 2), np.nan, np.float32),
        complete=np.ones(len(frames), bool),
        frame_labels=np.array([frame[0][0] if frame else -1 for frame in frames]),
    )
    return replace(made, **changes)


def test_iou_by_hand():
    # 5 x 10 common of 100 + 100; the same; apart; half of each other, one inside
    boxes = truth((5, 0, 15, 10), LEFT, FAR, (0, 0, 5, 10))
    np.testing.assert_allclose(box_iou(truth(LEFT), boxes), [[1 / 3, 1, 0, 0.5]], atol=1e-9)
    assert box_iou(truth(), boxes).shape == (0, 4)
    assert np.isfinite(box_iou(truth((3, 3, 3, 3)), truth((3, 3, 3, 3)))).all()


def test_average_precision_by_hand():
    # by score: hit, miss, hit of three hands: precision 1, 1/2, 2/3 at recall 1/3, 1/3, 2/3; from the right 1, 2/3, 2/3
    frames = [found((0.9, LEFT), (0.8, FAR)), found((0.7, RIGHT))]
    assert average_precision(frames, [truth(LEFT), truth(LEFT, RIGHT)]) == pytest.approx(1 / 3 * 1 + 1 / 3 * 2 / 3)
    # a miss before the hit: precision 0, 1/2 at recall 0, 1
    assert average_precision([found((0.9, FAR), (0.8, LEFT))], [truth(LEFT)]) == pytest.approx(0.5)
    # ... after it costs nothing
    assert average_precision([found((0.7, FAR), (0.8, LEFT))], [truth(LEFT)]) == pytest.approx(1.0)


def test_a_hand_is_found_once():
    # hit, the same again is a miss, hit: precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1
    frames = [found((0.9, LEFT), (0.8, (0.0, 0.0, 10.0, 9.5)), (0.7, RIGHT))]
    assert average_precision(frames, [truth(LEFT, RIGHT)]) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_a_detection_takes_what_is_left():
    # both boxes overlap both detections by more than a half; the second takes the one that the first left
    wide, narrow = (0.0, 0.0, 10.0, 10.0), (0.0, 0.0, 10.0, 8.0)
    assert average_precision([found((0.9, wide), (0.8, wide))], [truth(wide, narrow)]) == pytest.approx(1.0)


def test_boxes_of_another_frame_do_not_count():
    assert average_precision([found((0.9, LEFT)), found()], [truth(), truth(LEFT)]) == 0.0
    assert average_precision([found()], [truth(LEFT)]) == 0.0
    assert average_precision([found((0.9, LEFT))], [truth()]) == 0.0
    assert average_precision([], []) == 0.0


def test_the_threshold_is_a_half():
    half = [(0.0, 0.0, 10.0, height) for height in (5.001, 4.999)]
    assert [average_precision([found((1.0, box))], [truth(LEFT)]) for box in half] == [1.0, 0.0]


def test_equal_scores_keep_the_order_of_frames():
    # the hit comes first, as it does in a stable sort by score: precision 1, 1/2
    assert average_precision([found((0.5, LEFT)), found((0.5, FAR))], [truth(LEFT), truth()]) == pytest.approx(1.0)
    assert average_precision([found((0.5, FAR)), found((0.5, LEFT))], [truth(), truth(LEFT)]) == pytest.approx(0.5)


def naive(frames: list[ScoredBoxes], truths: list[np.ndarray]) -> float:
    """The definition, one detection after the other."""
    rows = [
        (score, frame, box)
        for frame, one in enumerate(frames)
        for score, box in zip(one.scores, one.boxes_px, strict=True)
    ]
    used, hits = set(), []
    for _, frame, box in sorted(rows, key=lambda row: -row[0]):
        overlaps = [
            (float(box_iou(box[None], other[None])[0, 0]), number)
            for number, other in enumerate(truths[frame])
            if (frame, number) not in used
        ]
        best = max(overlaps, default=(0.0, -1))
        hits.append(best[0] >= 0.5)
        if hits[-1]:
            used.add((frame, best[1]))
    precision = [sum(hits[: n + 1]) / (n + 1) for n in range(len(hits))]
    return sum(max(precision[n:]) for n in range(len(hits)) if hits[n]) / sum(map(len, truths))


@pytest.mark.parametrize("seed", range(5))
def test_many_detections_with_equal_scores_are_judged_as_one_by_one(seed: int):
    random = np.random.default_rng(seed)
    frames, truths = [], []
    for _ in range(40):
        corners = random.uniform(0, 60, (int(random.integers(0, 4)), 2))
        boxes = np.concatenate([corners, corners + random.uniform(20, 50, corners.shape)], 1)
        near = np.repeat(boxes, 3, axis=0) + random.normal(0, 4, (3 * len(boxes), 4))
        frames.append(ScoredBoxes(near, random.integers(1, 5, len(near)) / 4))
        truths.append(boxes)
    assert 0.1 < average_precision(frames, truths) < 0.9
    assert average_precision(frames, truths) == pytest.approx(naive(frames, truths))


def test_scores_of_a_split_by_hand():
    frames = frame_set([[(0, LEFT), (1, RIGHT)], [(2, LEFT)], [(0, LEFT)], []])
    hands = [
        [Hand("no_gesture", 0.95, RIGHT), Hand("fist", 0.9, LEFT)],
        [Hand("fist", 0.8, LEFT), Hand("palm", 0.7, FAR)],
        [Hand("fist", 0.6, LEFT)],
        [Hand("palm", 0.3, FAR)],
    ]
    scores = score_frames(hands, frames)
    # the second frame is taken for a fist; the last has no gesture to be known by
    assert scores.top1 == pytest.approx(2 / 3)
    assert scores.num_frames == 3
    assert scores.num_hands == 4
    # 0.95, 0.9, 0.8 hit, 0.7 misses, 0.6 hits, 0.3 misses: precision 1, 1, 1, 4/5 at recall 1/4 each
    assert scores.hand_ap50 == pytest.approx(3 / 4 + 1 / 4 * 4 / 5)
    # fist: hit, miss (it is a palm), hit of two: 1/2 + 1/2 * 2/3; palm: nothing right
    assert scores.map50 == pytest.approx((1 / 2 + 1 / 3) / 2)


def test_only_the_ten_best_hands_of_a_frame_count():
    wrong = [Hand("fist", 0.5, FAR)] * 9
    hands = [[*wrong, Hand("palm", 0.4, LEFT), Hand("palm", 0.3, RIGHT)]]
    scores = score_frames(hands, frame_set([[(2, LEFT), (2, RIGHT)]]))
    assert scores.hand_ap50 == pytest.approx(1 / 2 * 1 / 10)
    assert scores.map50 == pytest.approx(1 / 2)


def test_frames_that_may_show_more_hands_count_for_their_gesture_alone():
    frames = frame_set([[(0, LEFT)], [(2, LEFT)]], complete=np.array([True, False]))
    hands = [[Hand("fist", 0.9, LEFT)], [Hand("palm", 0.95, FAR)]]
    assert score_frames(hands, frames) == DetectionScores(1.0, pytest.approx(1.0), pytest.approx(1.0), 2, 1)


def test_hands_of_unknown_gesture_count_as_hands_alone():
    frames = frame_set([[(0, LEFT), (-1, RIGHT)]])
    hands = [[Hand("fist", 0.95, RIGHT), Hand("fist", 0.9, LEFT)]]
    scores = score_frames(hands, frames)
    assert scores.hand_ap50 == pytest.approx(1.0)
    assert scores.map50 == pytest.approx(1.0)  # what lies on the unknown hand is neither right nor wrong
    elsewhere = score_frames([[Hand("fist", 0.95, FAR), Hand("fist", 0.9, LEFT)]], frames)
    assert elsewhere.map50 == pytest.approx(0.5)
    assert score_frames([[]], frames).map50 == 0.0


def test_what_cannot_be_measured_is_none():
    assert score_frames([[]], frame_set([[]])) == DetectionScores(None, None, None, 0, 0)
    idle = score_frames([[Hand("no_gesture", 0.9, LEFT)]], frame_set([[(1, LEFT)]], frame_labels=np.array([0])))
    assert (idle.top1, idle.hand_ap50, idle.map50) == (0.0, pytest.approx(1.0), None)


def test_every_frame_needs_its_list():
    with pytest.raises(ValueError, match="2 frames of made/test need as many lists of hands, got 1"):
        score_frames([[]], frame_set([[], []]))


def test_what_is_shown_by_hand():
    frames = frame_set([[(0, LEFT), (2, RIGHT)], [(0, LEFT)], [(1, FAR)]], complete=np.array([True, True, False]))
    hands = [
        [Hand("fist", 0.9, LEFT), Hand("fist", 0.6, FAR), Hand("fist", 0.3, RIGHT)],
        [Hand("palm", 0.6, LEFT)],  # the wrong name of a hand is a hand
        [Hand("fist", 1.0, LEFT)],  # nothing says that there is none
    ]
    low, middle, high, none = show_from(hands, frames, (0.0, 0.6, 0.7, 0.95))
    assert (low.precision, low.recall) == (3 / 4, 1.0)
    assert (middle.precision, middle.recall) == (2 / 3, 2 / 3)
    assert (high.precision, high.recall, high.f1) == (1.0, 1 / 3, pytest.approx(0.5))
    assert (none.precision, none.recall, none.f1) == (1.0, 0.0, 0.0)
    assert show_from(hands, replace(frames, complete=np.zeros(3, bool)), (0.5,)) == ()
