"""study=pareto in a tiny size: both families go one way, and nothing is trained twice."""

from __future__ import annotations

import pytest

pytest.importorskip("executorch")

from openautoglm.data import SyntheticGestures
from openautoglm.losses import KD
from openautoglm.stages.alone import Alone
from openautoglm.stages.quantize import Quantize
from openautoglm.studies.pareto import ParetoStudy
from openautoglm.train import FitSettings

WAY = {
    "alone": Alone(epochs=1, batch_size=20),
    "quantize": Quantize(epochs=1, batch_size=20, losses={"kd": KD()}),
}


@pytest.mark.slow
def test_both_families_are_measured(tmp_path):
    data = SyntheticGestures(
        image_size=64, num_train=60, num_dev=24, num_test=24, root=tmp_path / "cache", num_workers=1
    )
    nets = ["openautoglm-test", "timm/mobilenetv4_conv_small_035"]
    study = ParetoStudy(data=data, nets=nets, rounds=3, **WAY)
    settings = FitSettings(trainer={"accelerator": "cpu"})
    found = study(tmp_path / "out", settings=settings)
    rows = {one["net"]: one for one in found["rows"]}
    assert list(rows) == nets
    assert all(one["kind"] == "int8" and one["num_int8"] > 10 for one in rows.values())
    assert any(one["is_on_front"] for one in rows.values())
    assert [one["other"] for one in found["matches"]] == nets[1:]
    table = (tmp_path / "out" / "front.md").read_text(encoding="utf-8")
    assert all(f"| {net} |" in table for net in nets)
    assert (tmp_path / "out" / "front.png").stat().st_size > 10_000
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("model.safetensors")}
    assert before
    study(tmp_path / "out", settings=settings)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("model.safetensors")} == before


def test_a_comparison_needs_both_sides(tmp_path):
    data = SyntheticGestures(root=tmp_path)
    with pytest.raises(ValueError, match=r"nets of ours and of timm \(timm/…\), got openautoglm-test"):
        ParetoStudy(data=data, nets=["openautoglm-test"], **WAY)
