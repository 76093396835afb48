"""study=compression in a tiny size: every method, and nothing made twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("executorch")

from openautoglm.bench.compression import cost_of
from openautoglm.data import SyntheticGestures
from openautoglm.losses import KD
from openautoglm.stages.alone import Alone
from openautoglm.stages.quantize import Quantize
from openautoglm.studies.compression import CompressionStudy
from openautoglm.studies.nets import shipped_net
from openautoglm.train import FitSettings
from openautoglm.zoo import store


def test_cost_is_paired():
    found = cost_of([True, True, True, False], [True, False, True, False])
    assert (found.num_samples, found.difference) == (4, 0.25)
    assert found.ci95[0] < 0.25 < found.ci95[1]


def test_a_released_pruned_net_is_measured_by_its_own_program():
    net, whole = (shipped_net(store.find(name)) for name in ("openautoglm-small-pruned", "openautoglm-small-crops"))
    assert 0.35 < net.macs / whole.macs < 0.45
    assert (net.facts.kind, net.facts.num_float) == ("int8", 0)
    assert net.facts.size_kb == net.program.stat().st_size / 1e3
    assert net.artifact_kb is None  # its weights are float ones


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (["QAT", "int3"], "study.rows names int3; there are float; dynamic; static, min-max"),
        (["pruned + QAT"], "pruned \\+ QAT needs study.pruned=NAME"),
    ],
)
def test_rows_that_are_not_there_are_refused(rows, sentence):
    with pytest.raises(ValueError, match=sentence):
        CompressionStudy(
            data=SyntheticGestures(), alone=Alone(epochs=1), quantize=Quantize(epochs=1, losses={}), rows=rows
        )


@pytest.mark.slow
def test_every_method_has_a_row(tmp_path):
    data = SyntheticGestures(
        image_size=64, num_train=60, num_dev=24, num_test=24, root=tmp_path / "cache", num_workers=1
    )
    study = CompressionStudy(
        data=data,
        alone=Alone(epochs=1, batch_size=20),
        quantize=Quantize(epochs=1, batch_size=20, losses={"kd": KD()}),
        model="openautoglm-test",
        num_pictures=40,
        rounds=3,
    )
    settings = FitSettings(trainer={"accelerator": "cpu"})
    found = study(tmp_path / "out", settings=settings)
    rows = {row["method"]: row for row in found["rows"]}
    kinds = {name: row["kind"] for name, row in rows.items()}
    assert kinds == {
        "float": "float", "dynamic": "dynamic", "static, min-max": "int8", "static, moving average": "int8",
        "static, percentile": "int8", "mixed": "mixed", "weights int8": "weights",
        "weights int4": "weights", "QAT": "int8",
    }  # fmt: skip
    assert all(row["cost"]["num_samples"] == 48 for name, row in rows.items() if name != "float")
    assert rows["mixed"]["num_float"] == 3
    assert rows["weights int4"]["artifact_kb"] < rows["weights int8"]["artifact_kb"] < rows["float"]["artifact_kb"]
    assert (tmp_path / "out" / "compression.png").stat().st_size > 10_000
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("model.safetensors")}
    study(tmp_path / "out", settings=settings)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("model.safetensors")} == before
    assert rows["QAT"]["macs"] == rows["float"]["macs"] > 0
    # the same folder with a net that came with its program, beside float alone
    shipped = str(tmp_path / "out" / "QAT" / "quantize")
    found = replace(study, pruned=shipped, rows=["pruned + QAT"])(tmp_path / "out", settings=settings)
    float_row, row = found["rows"]
    assert (float_row["method"], row["method"], row["kind"]) == ("float", "pruned + QAT", "int8")
    assert row["top1"] == rows["QAT"]["top1"]
    assert row["artifact_kb"] == rows["QAT"]["artifact_kb"]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("model.safetensors")} == before
