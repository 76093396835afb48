import numpy as np
import pytest

from openautoglm.data.synthetic.gestures import DEFAULT_CLASSES, GESTURES, find_gestures
from openautoglm.data.synthetic.skeleton import (
    FLEXION_LIMITS_DEG,
    HandShape,
    Pose,
    ThumbAngles,
    ThumbReach,
    pose_hand,
)

OPEN = ThumbAngles(azimuth=50.0, elevation=10.0)


def lengths(joints: np.ndarray, digit: int) -> np.ndarray:
    chain = joints[1 + 4 * digit : 5 + 4 * digit]
    return np.linalg.norm(np.diff(chain, axis=0), axis=1)


@pytest.fixture
def shape() -> HandShape:
    return HandShape.sample(np.random.default_rng(3))


def test_flat_hand_points_up_and_a_right_angle_points_at_the_camera(shape: HandShape) -> None:
    flat = pose_hand(shape, Pose(np.zeros((4, 3)), np.zeros(4), OPEN)).joints_mm
    middle = flat[12] - flat[9]
    np.testing.assert_allclose(middle, [0.0, shape.phalanges_mm[1].sum(), 0.0], atol=1e-9)
    bent = np.zeros((4, 3))
    bent[1, 0] = 90.0
    middle = np.diff(pose_hand(shape, Pose(bent, np.zeros(4), OPEN)).joints_mm[[9, 12]], axis=0)[0]
    np.testing.assert_allclose(middle, [0.0, 0.0, shape.phalanges_mm[1].sum()], atol=1e-9)


@pytest.mark.parametrize("gesture", GESTURES, ids=lambda gesture: gesture.name)
def test_bones_keep_their_lengths_in_every_gesture(gesture, shape: HandShape) -> None:
    for seed in range(5):
        pose, _ = gesture.sample(np.random.default_rng(seed))
        joints = pose_hand(shape, pose).joints_mm
        assert np.isfinite(joints).all()
        for finger in range(4):
            np.testing.assert_allclose(lengths(joints, finger + 1), shape.phalanges_mm[finger], rtol=1e-9)
        np.testing.assert_allclose(lengths(joints, 0)[1:], shape.thumb_mm[1:], rtol=1e-6)


def test_angles_beyond_the_limits_are_brought_back() -> None:
    pose = Pose(np.full((4, 3), 400.0), np.full(4, -90.0), ThumbAngles(azimuth=300.0, elevation=0.0)).limited()
    np.testing.assert_array_equal(pose.flexion[0], FLEXION_LIMITS_DEG[:, 1])
    assert (pose.abduction == -25.0).all()
    assert isinstance(pose.thumb, ThumbAngles)
    assert pose.thumb.azimuth == 85.0


def test_thumb_reaches_what_is_near(shape: HandShape) -> None:
    reach = ThumbReach(bone=(1, 0), along=0.0, offset_mm=(0.0, 0.0, 20.0))
    joints = pose_hand(shape, Pose(np.zeros((4, 3)), np.zeros(4), reach)).joints_mm
    np.testing.assert_allclose(joints[4], joints[9] + [0.0, 0.0, 20.0], atol=1e-6)


def test_thumb_stretches_towards_what_is_far(shape: HandShape) -> None:
    reach = ThumbReach(bone=(1, 2), along=1.0, offset_mm=(0.0, 0.0, 0.0))
    joints = pose_hand(shape, Pose(np.zeros((4, 3)), np.zeros(4), reach)).joints_mm
    assert np.linalg.norm(joints[4] - joints[1]) <= shape.thumb_mm.sum()


def test_enough_gestures_and_a_clear_error_for_others() -> None:
    assert len(set(DEFAULT_CLASSES)) == len(DEFAULT_CLASSES) >= 12
    assert [gesture.name for gesture in find_gestures(("ok", "call"))] == ["ok", "call"]
    with pytest.raises(ValueError, match=r"wave.*choose from call"):
        find_gestures(("ok", "wave"))
