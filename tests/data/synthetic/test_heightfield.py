import numpy as np
import pytest

from openautoglm.data.synthetic.heightfield import ABSENT, HeightField, cast_capsule, cast_triangle

SIZE = (64, 64)


def full(patch) -> np.ndarray:
    field = HeightField.empty(*SIZE)
    field.add(patch, 0)
    return field.height


def test_a_capsule_without_length_is_a_sphere() -> None:
    height = full(cast_capsule(np.array([[30.0, 32.0, 5.0], [30.0, 32.0, 5.0]]), np.array([10.0, 10.0]), SIZE))
    assert height[32, 30] == pytest.approx(15.0, abs=1e-4)
    assert height[32, 36] == pytest.approx(5.0 + 8.0, abs=1e-3)
    assert height[32, 41] < ABSENT


@pytest.mark.parametrize(
    "ends",
    [[[15, 20, 0], [45, 40, 12]], [[20, 32, -9], [44, 30, 20]], [[30, 30, 0], [33, 31, 25]]],
    ids=["slanted", "steep", "towards the camera"],
)
def test_a_capsule_is_the_envelope_of_its_spheres(ends) -> None:
    ends, radii = np.array(ends, float), np.array([9.0, 6.0])
    height = full(cast_capsule(ends, radii, SIZE))
    y, x = np.mgrid[:64, :64]
    expected = np.full(SIZE, -np.inf)
    for t in np.linspace(0, 1, 4001):
        centre, radius = ends[0] + t * (ends[1] - ends[0]), radii[0] + t * (radii[1] - radii[0])
        room = radius**2 - (x - centre[0]) ** 2 - (y - centre[1]) ** 2
        expected = np.maximum(expected, np.where(room >= 0, centre[2] + np.sqrt(np.maximum(room, 0)), -np.inf))
    is_in = np.isfinite(expected)
    assert ((height > ABSENT) == is_in).mean() > 0.998
    both = is_in & (height > ABSENT)
    assert np.quantile(np.abs(height - expected)[both], 0.99) < 0.05


def test_a_triangle_is_its_plane_lifted_by_the_thickness() -> None:
    corners = np.array([[10.0, 10.0, 3.0], [50.0, 10.0, 3.0], [10.0, 50.0, 3.0]])
    height = full(cast_triangle(corners, np.full(3, 4.0), SIZE))
    assert height[20, 20] == pytest.approx(7.0)
    assert height[50, 50] < ABSENT


def test_the_nearer_part_wins_and_seams_are_rounded() -> None:
    near = cast_capsule(np.array([[32.0, 20.0, 8.0], [32.0, 44.0, 8.0]]), np.array([6.0, 6.0]), SIZE)
    far = cast_capsule(np.array([[20.0, 32.0, 0.0], [44.0, 32.0, 0.0]]), np.array([6.0, 6.0]), SIZE)
    sharp, soft = HeightField.empty(*SIZE), HeightField.empty(*SIZE)
    for field, blend in ((sharp, 0.0), (soft, 4.0)):
        field.add(far, 1)
        field.add(near, 2, blend)
    assert sharp.part[32, 32] == 2
    assert sharp.part[32, 22] == 1
    assert (soft.height >= sharp.height).all()
    assert (soft.height > sharp.height)[sharp.height > ABSENT].any()
    assert ((soft.height > ABSENT) == (sharp.height > ABSENT)).all()


def test_what_lies_outside_the_picture_is_nothing() -> None:
    assert cast_capsule(np.array([[200.0, 9.0, 0.0], [220.0, 9.0, 0.0]]), np.array([5.0, 5.0]), SIZE) is None
