import numpy as np
import pytest

from openautoglm.bench.front import FrontRow, find_front, match
from openautoglm.bench.result import LatencyResult


def row(net: str, latency_ms: float, top1: float) -> FrontRow:
    return FrontRow(
        net=net,
        is_ours=not net.startswith("timm/"),
        num_params=1,
        kind="int8",
        num_int8=1,
        num_float=0,
        size_kb=1.0,
        latency_ms=LatencyResult(latency_ms, latency_ms, latency_ms, 50, 1),
        float_top1=top1,
        top1=top1,
    )


def test_front_holds_what_nothing_beats():
    """b is slower and worse than a; d equals c and neither beats the other."""
    latency = {"a": 1.0, "b": 2.0, "c": 3.0, "d": 3.0}
    top1 = {"a": 0.9, "b": 0.8, "c": 0.95, "d": 0.95}
    assert find_front(latency, top1) == {"a", "c", "d"}


def test_a_faster_one_that_is_as_good_beats():
    assert find_front({"a": 1.0, "b": 2.0}, {"a": 0.9, "b": 0.9}) == {"a"}


def test_each_of_the_others_meets_the_best_that_is_not_slower():
    rows = [row("nano", 1.0, 0.5), row("small", 2.0, 0.75), row("timm/slow", 2.5, 0.5), row("timm/fast", 0.5, 0.25)]
    right = {
        "nano": np.array([1, 1, 0, 0], bool),
        "small": np.array([1, 1, 1, 0], bool),
        "timm/slow": np.array([0, 1, 0, 1], bool),
        "timm/fast": np.array([1, 0, 0, 0], bool),
    }
    fast, slow = match(rows, right)
    assert (fast.other, fast.ours, fast.difference) == ("timm/fast", None, None)
    assert (slow.other, slow.ours) == ("timm/slow", "small")
    assert slow.difference == pytest.approx(0.25)
    assert slow.ci95 is not None
    assert slow.ci95[0] < 0.25 < slow.ci95[1]
