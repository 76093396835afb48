"""Before and after fusion: the same answers, fewer operations."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("executorch")

from openautoglm.bench.fusion import measure_fusion, set_apart
from openautoglm.types import Artifact
from openautoglm.zoo import store


@pytest.fixture
def artifact(tiny, tmp_path) -> Artifact:
    """The tiny net with its INT8 program for ExecuTorch, as a release is."""
    from openautoglm.artifacts import model_config

    config = model_config("openautoglm-test", {"num_classes": 5, "image_size": 64}, classes="abcde", image_size=64)

    def write(folder):
        store.write_json(folder / "config.json", config)
        (folder / "programs").mkdir()
        (folder / "programs" / "model.pte").write_bytes((tiny.folder / "model.pte").read_bytes())

    return store.build(tmp_path / "its", write, {"name": "tiny"})


def test_set_apart_computes_the_same(tiny, images):
    batch = images(4)
    apart = set_apart(tiny.model)
    assert not any(isinstance(module, torch.nn.BatchNorm2d | torch.nn.ReLU) for module in apart.modules())
    with torch.inference_mode():
        assert torch.allclose(apart(batch), tiny.model(batch), atol=1e-5)


def test_fusion_leaves_fewer_operations(artifact):
    trained, folded, apart, fused, int8 = measure_fusion(artifact, runtimes=["executorch"], rounds=2)
    num_batch_norms = trained.operations.num_batch_norms
    assert num_batch_norms > 10
    assert folded.operations.num_operations == trained.operations.num_operations - num_batch_norms
    assert apart.operations.num_batch_norms == num_batch_norms
    assert apart.operations.num_activations == trained.operations.num_activations
    assert apart.operations.num_fused_activations == 0
    for row in (fused, int8):
        assert row.operations.num_heavy == trained.operations.num_heavy
        assert (row.operations.num_batch_norms, row.operations.num_activations) == (0, 0)
        assert row.operations.num_fused_activations == trained.operations.num_activations
    assert [row.kind for row in (fused, int8)] == ["float", "int8"]
    assert (trained.latency_ratio, apart.latency_ratio) == (1.0, 1.0)
    assert int8.latency_ratio == pytest.approx(int8.latency_ms.median / apart.latency_ms.median)
    assert trained.size_kb is None
    assert int8.size_kb < apart.size_kb


def test_a_missing_program_is_named(artifact):
    with pytest.raises(ValueError, match="has no program for onnx"):
        measure_fusion(artifact, runtimes=["onnx"], rounds=1)
