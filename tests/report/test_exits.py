"""What early exits save, in words."""

from __future__ import annotations

from dataclasses import replace

from openautoglm.bench.result import ExitsResult, LatencyResult, Results
from openautoglm.report import numbers
from openautoglm.report.exits import exits, exits_sentence

FOUND = ExitsResult(
    program="model.pte",
    max_loss=0.002,
    sure=0.87,
    num_dev=2000,
    num_samples=3000,
    share_early=0.75,
    top1=0.979,
    whole_top1=0.98,
    difference=0.001,
    ci95=(-0.001, 0.003),
    macs=45_000_000,
    whole_macs=52_000_000,
    latency_ms=LatencyResult(0.72, rounds=50),
    whole_latency_ms=LatencyResult(0.80, rounds=50),
)


def text_of(found):
    return str(exits(Results(recipe="exits_int8", exits=found))).replace(numbers.THIN, " ")


def test_one_line():
    sentence = exits_sentence(FOUND).replace(numbers.THIN, " ")
    assert sentence == f"75.0 % of the looks end early, {numbers.MINUS}0.10 points, 0.90{numbers.TIMES} the time"
    none = exits_sentence(replace(FOUND, sure=None)).replace(numbers.THIN, " ")
    assert none == "no look ends early: each threshold costs more than 0.20 % on dev"


def test_the_page_says_what_was_allowed_and_what_came_of_it():
    text = text_of(FOUND)
    assert "a probability of 0.87, the smallest that costs at most 0.20 % of accuracy on the 2,000 pictures" in text
    assert "75.0 % of the looks at 3,000 test pictures" in text
    assert f"97.90 % of 98.00 %: {numbers.MINUS}0.10 points, 95 % interval {numbers.MINUS}0.30 to +0.10" in text
    assert "45 M of 52 M, mean of a look" in text
    assert f"0.72 ms of 0.80 ms, mean of a look, 0.90{numbers.TIMES}; 50 rounds in turn" in text


def test_frames_tell_no_multiply_adds():
    text = text_of(replace(FOUND, macs=None, whole_macs=None, difference=None, ci95=None, per="frame"))
    assert "Multiply-adds" not in text
    assert "mean of a frame" in text
    assert "97.90 % of 98.00 %" in text


def test_an_exit_that_costs_too_much_is_not_believed():
    assert "No exit is believed" in text_of(replace(FOUND, sure=None))
    assert exits(Results(recipe="kd")) is None
