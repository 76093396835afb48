import math

import numpy as np
import pytest

from openautoglm.bench.paired import (
    grouped_interval,
    mean_difference_interval,
    paired_difference_from_counts,
    paired_difference_interval,
    t_quantile_95,
    wilson_interval,
)


@pytest.mark.parametrize("num_samples", range(1, 60))
def test_wilson_holds_the_share_itself(num_samples):
    for num_correct in (0, num_samples // 2, num_samples):
        interval = wilson_interval(num_correct, num_samples)
        assert interval.low <= num_correct / num_samples <= interval.high


def test_wilson_by_hand():
    # 48 of 50, z = 1.96: (2np + z2) / (2 (n + z2)) = (96 + 3.8415) / 107.683 = 0.92718,
    # half width z sqrt(z2 + 4np(1 - p)) / (2 (n + z2)) = 1.96 sqrt(3.8415 + 7.68) / 107.683 = 0.06178
    interval = wilson_interval(48, 50)
    assert interval.low == pytest.approx(0.86540, abs=1e-5)
    assert interval.high == pytest.approx(0.98896, abs=1e-5)


def test_newcombe_by_hand():
    # 36 both, 12 only a, 2 only b, 0 neither. Wilson of 48/50: 0.86540 to 0.98896, of 38/50: 0.62594 to 0.85697.
    # phi = (36 * 0 - 12 * 2) / sqrt(48 * 2 * 38 * 12) = -24 / 209.23 = -0.11471
    # low: 0.2 - sqrt(0.0946^2 + 2 * 0.11471 * 0.0946 * 0.09697 + 0.09697^2) = 0.2 - 0.14303
    # high: 0.2 + sqrt(0.02896^2 + 2 * 0.11471 * 0.02896 * 0.13406 + 0.13406^2) = 0.2 + 0.14036
    result = paired_difference_from_counts(36, 12, 2, 0)
    assert result.difference == pytest.approx(0.2)
    assert result.net_loss == 10
    assert result.ci95.low == pytest.approx(0.0569, abs=1e-4)
    assert result.ci95.high == pytest.approx(0.3404, abs=1e-4)


def test_newcombe_lessens_a_positive_correlation():
    # 14, 5, 0, 22 of 41: cross product 308 - 20.5 = 287.5, phi = 287.5 / sqrt(19 * 22 * 14 * 27) = 0.72328
    # Wilson of 19/41: 0.32057, 0.61255; of 14/41: 0.21564, 0.49450
    x, y = 19 / 41 - 0.32057, 0.49450 - 14 / 41
    u, v = 0.61255 - 19 / 41, 14 / 41 - 0.21564
    result = paired_difference_from_counts(14, 5, 0, 22)
    assert result.ci95.low == pytest.approx(5 / 41 - math.sqrt(x * x - 2 * 0.72328 * x * y + y * y), abs=2e-5)
    assert result.ci95.high == pytest.approx(5 / 41 + math.sqrt(u * u - 2 * 0.72328 * u * v + v * v), abs=2e-5)


def test_answers_and_counts_agree_and_sides_mirror():
    rng = np.random.default_rng(0)
    a = rng.random(500) < 0.9
    b = np.where(rng.random(500) < 0.95, a, ~a)
    forth, back = paired_difference_interval(a, b), paired_difference_interval(b, a)
    assert forth.difference == pytest.approx(a.mean() - b.mean())
    assert forth.num_only_a == int((a & ~b).sum())
    assert (forth.ci95.low, forth.ci95.high) == pytest.approx((-back.ci95.high, -back.ci95.low))


def test_equal_answers_keep_an_honest_width():
    correct = np.arange(5000) % 50 != 0
    result = paired_difference_interval(correct, correct)
    assert result.difference == 0
    assert -0.002 < result.ci95.low < 0 < result.ci95.high < 0.002


def test_coverage_is_close_to_95_percent():
    rng = np.random.default_rng(3)
    cells = np.array([0.94, 0.012, 0.008, 0.04])
    hits = 0
    for both, only_a, only_b, neither in rng.multinomial(400, cells, size=1500):
        ci95 = paired_difference_from_counts(int(both), int(only_a), int(only_b), int(neither)).ci95
        hits += ci95.low <= 0.004 <= ci95.high
    assert 0.93 < hits / 1500 < 0.99


def test_all_right_has_no_division_by_zero():
    result = paired_difference_interval([True] * 30, [True] * 30)
    assert result.difference == 0
    assert result.ci95.high <= 1


@pytest.mark.parametrize("b", [[True], [[True, False]], [0.5, 1.0], []])
def test_bad_answers_are_refused(b):
    with pytest.raises(ValueError, match=r"pictures|booleans"):
        paired_difference_interval([True, False], b)


def test_seeds_by_hand():
    # differences 1, 2, 3: mean 2, standard deviation 1, t(2) = 4.303: 2 +- 4.303 / sqrt(3)
    result = mean_difference_interval([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
    assert result.mean == pytest.approx(2)
    assert result.ci95 is not None
    assert result.ci95.low == pytest.approx(2 - 4.303 / math.sqrt(3))


def test_one_seed_has_no_interval_and_no_pair_is_refused():
    assert mean_difference_interval([0.9], [0.8]).ci95 is None
    with pytest.raises(ValueError, match="one value a seed"):
        mean_difference_interval([0.9, 0.8], [0.8])


def test_t_quantile_goes_on_smoothly_beyond_its_table():
    assert t_quantile_95(40) == pytest.approx(2.0211, abs=2e-4)
    assert t_quantile_95(30) > t_quantile_95(31) > 1.96
    with pytest.raises(ValueError, match="at least 1"):
        t_quantile_95(0)


def test_groups_that_agree_within_count_less():
    """Ten people with ten pictures each, all right or all wrong: as sure as ten pictures, not a hundred."""
    person = np.repeat(np.arange(10), 10)
    right = person < 7
    grouped, single = grouped_interval(right, person), wilson_interval(70, 100)
    assert grouped.high - grouped.low > 2.5 * (single.high - single.low)
    assert grouped.low < 0.7 < grouped.high


def test_groups_that_vary_like_chance_count_fully():
    right = np.tile([True, True, True, False], 25)
    person = np.repeat(np.arange(25), 4)
    assert grouped_interval(right, person) == wilson_interval(75, 100)
    assert grouped_interval(np.ones(8, bool), np.arange(8)) == wilson_interval(8, 8)
    with pytest.raises(ValueError, match="one group a picture"):
        grouped_interval(right, person[1:])
