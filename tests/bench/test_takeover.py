"""Attention over growing maps: counts, and where they cross."""

from __future__ import annotations

import math

import pytest

from openautoglm.bench.result import LatencyResult
from openautoglm.bench.takeover import REACHES, ReachPoint, crossing, measure_takeover
from openautoglm.nn import LowRankAttention


def point(num_tokens: int, mixing_ms: float, projection_ms: float = 1.0) -> ReachPoint:
    times = (LatencyResult(projection_ms), LatencyResult(mixing_ms))
    return ReachPoint("full", math.isqrt(num_tokens), num_tokens, num_tokens, 1, 1, *times)


@pytest.fixture(scope="module")
def takeover():
    return measure_takeover(LowRankAttention(dim=16, num_heads=2, rank=3), sides=(4, 6, 12), rounds=1)


def test_reaches_are_measured_where_they_fit(takeover):
    assert [(found.reach, found.side) for found in takeover.points] == [
        ("full", 4),
        ("full", 6),
        ("full", 12),
        ("local", 6),
        ("local", 12),
        ("block-sparse", 12),
    ]
    assert {found.reach: found.num_seen for found in takeover.points} == {"full": 144, "local": 36, "block-sparse": 90}
    assert all(found.mixing_ms.median > 0 and found.projection_ms.rounds == 1 for found in takeover.points)


def test_counts_follow_the_formulas(takeover):
    for found in takeover.points:
        assert found.projection_macs == 2 * found.num_tokens * 16 * (2 * 3 + 16)
        assert found.mixing_macs == found.num_tokens * found.num_seen * (2 * 3 + 16)
        assert (found.mixing_macs > found.projection_macs) == (found.num_seen > takeover.seen_to_take_over)
    assert takeover.seen_to_take_over == 32
    assert set(takeover.measured_num_tokens) == set(REACHES)


def test_crossing_lies_on_a_straight_line_in_logarithms():
    # the ratio grows like n: 1/4 at 100, 4 at 1600, so 1 at 400
    assert crossing([point(100, 0.25), point(1600, 4.0)]) == pytest.approx(400)
    assert crossing([point(100, 0.5, 2.0), point(400, 2.0, 2.0)]) == pytest.approx(400)


def test_crossing_is_the_last_one():
    assert crossing([point(100, 2.0), point(200, 0.5), point(800, 2.0)]) == pytest.approx(400)


def test_no_crossing():
    assert crossing([point(100, 0.5), point(400, 2.0), point(900, 0.9)]) is None
    assert crossing([]) is None
    assert crossing([point(100, 2.0), point(400, 3.0)]) == 100
