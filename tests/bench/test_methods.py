"""Summaries of methods by hand."""

import pytest

from openautoglm.bench.methods import ALONE, MethodRow, best_on_dev, gain_on_test, summarize_methods

ROWS = [
    MethodRow(ALONE, 0, "", 0.90, 10, 1.0, 0.80),
    MethodRow("kd", 0, "", 0.93, 10, 1.0, 0.81),
    MethodRow("rkd", 0, "", 0.94, 10, 1.0),
    MethodRow(ALONE, 1, "", 0.92, 10, 1.0, 0.82),
    MethodRow("kd", 1, "", 0.93, 10, 1.0, 0.85),
    MethodRow("rkd", 1, ""),  # not done yet
]


def test_mean_spread_and_paired_difference():
    alone, kd, rkd = summarize_methods(ROWS)
    assert (alone.mean, alone.difference) == (pytest.approx(0.91), None)
    assert alone.spread == pytest.approx(0.02 / 2**0.5)
    assert kd.difference == pytest.approx(0.02)  # (0.03 + 0.01) / 2
    # t of one degree of freedom times the standard error of two differences 0.02 apart
    assert kd.ci95 == pytest.approx((0.02 - 12.706 * 0.01, 0.02 + 12.706 * 0.01), abs=1e-4)
    assert (rkd.seeds, rkd.spread, rkd.ci95) == ((0,), None, None)
    assert rkd.difference == pytest.approx(0.04)


def test_dev_chooses_and_never_the_student_alone():
    assert best_on_dev(summarize_methods(ROWS)) == "rkd"
    lost = [MethodRow(ALONE, 0, "", 0.9), MethodRow("kd", 0, "", 0.5), MethodRow("dkd", 0, "", 0.5)]
    assert best_on_dev(summarize_methods(lost)) == "kd"


def test_gain_is_paired_by_seed():
    found = gain_on_test(ROWS, "kd", [0, 1])
    assert found.mean == pytest.approx(0.02)  # 0.01 and 0.03
    assert (found.alone, found.distilled) == ((0.80, 0.82), (0.81, 0.85))
    assert gain_on_test(ROWS, "kd", [0]).ci95 is None


def test_what_is_not_judged_has_no_gain():
    with pytest.raises(KeyError):
        gain_on_test(ROWS, "rkd", [0])
