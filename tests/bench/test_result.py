import json
import os
from dataclasses import replace

import numpy as np
import pytest

from openautoglm.bench import result as result_module
from openautoglm.bench.result import (
    DataResult,
    EpochResult,
    Int8Cost,
    LatencyResult,
    ModelResult,
    Results,
    StageResult,
    from_plain,
    read_results,
    to_plain,
    update_results,
    write_results,
)


def full() -> Results:
    latency_ms = LatencyResult(0.8, 0.7, 0.9, 50, 1)
    return Results(
        recipe="distill_int8",
        seed=3,
        data=DataResult(name="synthetic", classes=("ok", "停"), problems=("a: broken",)),
        stages=(StageResult("teach", 1.5),),
        curves={"teach": (EpochResult(0, train_loss=1.25, dev_top1=0.5),)},
        models=(ModelResult("model.pte", kind="int8", runtime="executorch", latency_ms=latency_ms),),
        int8_cost=Int8Cost("executorch", 5000, 0.001, (-0.001, 0.002)),
    )


def test_write_then_read_is_the_same(tmp_path):
    write_results(tmp_path, full())
    assert read_results(tmp_path) == read_results(tmp_path / "results.json") == full()
    assert "停" in (tmp_path / "results.json").read_text(encoding="utf-8")


def test_only_the_recipe_is_needed():
    assert from_plain({"recipe": "kd", "models": None, "data": None}) == Results(recipe="kd")
    with pytest.raises(ValueError, match=r"results.json: .*lacks 'recipe'"):
        from_plain({})


def test_unknown_keys_survive_a_round_trip(tmp_path):
    plain = {"recipe": "kd", "note": [1], "models": [{"name": "x", "power_mw": 3.5}]}
    results = from_plain(plain)
    assert results.extra == {"note": [1]}
    write_results(tmp_path, results)
    assert json.loads((tmp_path / "results.json").read_text())["models"][0]["power_mw"] == 3.5


@pytest.mark.parametrize(
    ("plain", "place"),
    [
        ({"recipe": "kd", "models": [{"name": "", "top1": "0.9"}]}, r"models\[0\].top1 should be a number, found text"),
        ({"recipe": "kd", "models": [{"name": "x", "kind": "int7"}]}, r"\[0\].kind should be one of 'float', 'int8'"),
        ({"recipe": "kd", "curves": {"teach": {}}}, r"curves.teach should be a list"),
        ({"recipe": "kd", "seed": True}, r"seed should be a whole number"),
        ({"recipe": "kd", "int8_cost": {"runtime": "x", "num_samples": 1, "difference": 0, "ci95": [1]}}, "2 values"),
        ([], "should hold an object"),
    ],
)
def test_errors_name_the_place(plain, place):
    with pytest.raises(ValueError, match=place):
        from_plain(plain)


def test_unreadable_files_are_one_sentence(tmp_path):
    with pytest.raises(ValueError, match="is missing"):
        read_results(tmp_path)
    (tmp_path / "results.json").write_text('{"recipe": ')
    with pytest.raises(ValueError, match="not readable JSON"):
        read_results(tmp_path)


def test_figures_that_json_cannot_hold_become_null(tmp_path):
    row = ModelResult("x", top1=float("nan"), size_kb=np.float32(2.5), num_params=np.int64(7))
    write_results(tmp_path, Results(recipe="kd", models=(row,)))
    read = read_results(tmp_path).models[0]
    assert (read.top1, read.size_kb, read.num_params) == (None, 2.5, 7)
    assert to_plain({"a": (float("inf"), 1)}) == {"a": [None, 1]}


def test_update_replaces_in_place_and_keeps_order(tmp_path):
    write_results(tmp_path, full())
    update_results(tmp_path, lambda r: r.with_stage(StageResult("alone", 2.0)))
    update_results(tmp_path, lambda r: r.with_stage(StageResult("teach", 9.0, reused=True)))
    results = update_results(tmp_path, lambda r: r.with_model(ModelResult("model.pte", kind="int8", top1=0.9)))
    assert [(s.name, s.seconds) for s in results.stages] == [("teach", 9.0), ("alone", 2.0)]
    assert results.model("model.pte") == ModelResult("model.pte", kind="int8", top1=0.9)
    assert results.with_curve("alone", (EpochResult(0),)).curves.keys() == {"teach", "alone"}
    assert read_results(tmp_path) == results


def test_a_crash_while_writing_leaves_the_old_file(tmp_path, monkeypatch):
    write_results(tmp_path, full())

    def crash(*_):
        raise OSError("no space left")

    monkeypatch.setattr(result_module.os, "replace", crash)
    with pytest.raises(OSError, match="no space"):
        write_results(tmp_path, replace(full(), status="complete"))
    assert os.listdir(tmp_path) == ["results.json"]
    assert read_results(tmp_path).status == "running"


def test_float_twin_is_of_the_same_runtime():
    rows = (
        ModelResult("teacher"),
        ModelResult("model.pte", kind="int8", runtime="executorch"),
        ModelResult("float.onnx", runtime="onnx"),
        ModelResult("float.pte", runtime="executorch"),
    )
    results = Results(recipe="kd", models=rows)
    assert results.float_twin(rows[1]) is rows[3]
    assert results.float_twin(rows[0]) is None
