"""Latency: interleaved, summed up right."""

from __future__ import annotations

import time

import pytest

from openautoglm.bench.latency import Latency, measure


def test_interleaves_and_turns_the_order():
    calls: list[str] = []
    result = measure({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=3, warmup=1, inner=1)
    assert "".join(calls) == "abbaabba"
    assert result["a"].rounds == 3


def test_quartiles_of_a_scripted_clock(monkeypatch):
    clock = iter([0.0, 0.001, 1.0, 1.002, 2.0, 2.003, 3.0, 3.004, 4.0, 4.005])
    monkeypatch.setattr("openautoglm.bench.latency.time.perf_counter", lambda: next(clock))
    latency = measure({"a": lambda: None}, rounds=5, warmup=0, inner=1, num_threads=2)["a"]
    assert [round(x, 6) for x in (latency.q1_ms, latency.median_ms, latency.q3_ms)] == [2.0, 3.0, 4.0]
    assert latency.to_dict()["num_threads"] == 2


def test_tells_slow_from_fast():
    result = measure({"slow": lambda: time.sleep(0.004), "fast": lambda: time.sleep(0.001)}, rounds=5, warmup=1)
    assert result["slow"].median_ms > 2 * result["fast"].median_ms
    assert result["slow"].q1_ms <= result["slow"].median_ms <= result["slow"].q3_ms


def test_refuses_nonsense():
    with pytest.raises(ValueError, match="at least one runner"):
        measure({})
    with pytest.raises(ValueError, match="at least 1"):
        measure({"a": lambda: None}, rounds=0)


def test_a_call_that_does_many_things_tells_the_time_of_one():
    each = Latency(8.0, 6.0, 10.0, rounds=5, num_threads=1).each_of(4)
    assert each == Latency(2.0, 1.5, 2.5, rounds=5, num_threads=1)
