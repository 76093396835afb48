"""study=compression in a tiny size: every method, and nothing made twice."""

from __future__ import annotations

import pytest

pytest.importorskip("executorch")

from openautoglm.bench.compression import cost_of
from openautoglm.data import SyntheticGestures
from openautoglm.losses import KD
from openautoglm.stages.alone import Alone
from openautoglm.stages.quantize import Quantize
from openautoglm.studies.compression import CompressionStudy
from openautoglm.train import FitSettings


def test_cost_is_paired():
    found = cost_of([True, True, True, False], [True, False, True, False])
    assert (found.num_samples, found.difference) == (4, 0.25)
    assert found.ci95[0] < 0.25 < found.ci95[1]


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
