"""The recipe of sparse weights: zeros arrive in the integers that ship, and the file is compared with the dense one."""

from __future__ import annotations

import pytest
from safetensors.torch import load_file

from openautoglm.bench.result import read_results
from openautoglm.cli.train import main as train


@pytest.fixture(scope="module", params=["magnitude", "two_of_four"])
def sparse_run(request, tiny_run, tiny_words, tmp_path_factory):
    """The tiny run's student with zeros: the whole recipe, a batch of everything."""
    place = tmp_path_factory.mktemp("sparse")
    given = [word for word in tiny_words if word.startswith(("data.", "model=", "trainer.", "optim."))]
    share = "null" if request.param == "two_of_four" else "0.75"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("OPENAUTOGLM_HOME", str(tiny_run.parents[2] / "cache"))
        words = ["recipe=sparse_int8", "data=synthetic", *given, f"init={tiny_run / 'distill'}"]
        words += [f"stages.compare.reference={tiny_run}", "backend.names=[executorch]", "trainer.fast_dev_run=true"]
        pattern = f"stages.distill.sparsity.pattern={request.param}"
        assert train([*words, pattern, f"stages.distill.sparsity.share={share}"]) == 0
    (run,) = (place / "runs" / "sparse_int8").iterdir()
    return request.param, run


def test_zeros_ship(sparse_run):
    pattern, run = sparse_run
    tensors = load_file(run / "artifact" / "model.safetensors")
    (head,) = (tensor for tensor in tensors.values() if tensor.shape == (32, 24, 1, 1))
    zeros = (head == 0).float().mean().item()
    assert zeros >= (0.75 if pattern == "magnitude" else 0.5)
    if pattern == "two_of_four":
        assert ((head.reshape(32, 6, 4) == 0).sum(dim=-1) >= 2).all()


def test_a_dense_program_is_as_large_as_before(sparse_run):
    _, run = sparse_run
    (row,) = read_results(run).comparisons
    assert row.size_ratio == pytest.approx(1.0, abs=0.02)
    assert row.latency_ratio > 0
