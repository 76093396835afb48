"""What every part promises: float in one delegate, and after quantization-aware training INT8 in all three runtimes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from openautoglm.nn import (
    ConvNorm,
    DepthwiseFeedForward,
    LowRankAttention,
    LowRankProjection,
    Residual,
    SharedBlock,
    SparseBlocks,
    Stem,
    TransformerBlock,
    Windows,
    factorize,
)

pytest.importorskip("executorch")

from openautoglm.compress.pt2e import convert, prepare_qat
from openautoglm.compress.state import load_quantized, quantized_state
from openautoglm.export.backend import ExportedInput, available, get_backend
from openautoglm.export.parity import compare
from openautoglm.runtime.engines import open_engine

DIM, SIDE = 8, 12
"""Channels and sides of the map that a part is given."""


def transformer(attention: nn.Module) -> TransformerBlock:
    return TransformerBlock(
        attention=attention, feedforward=DepthwiseFeedForward(dim_in=DIM, dim_out=DIM, hidden=2 * DIM)
    )


def local() -> nn.Module:
    return transformer(LowRankAttention(dim=DIM, num_heads=2, rank=4, reach=Windows(window=4)))


def sparse() -> nn.Module:
    return transformer(LowRankAttention(dim=DIM, num_heads=2, rank=4, reach=SparseBlocks(block=2)))


def shared() -> nn.Module:
    return SharedBlock(block=transformer(LowRankAttention(dim=DIM, num_heads=2, rank=4)), num_applications=2)


def factorised() -> nn.Module:
    return Residual(branch=nn.Sequential(*factorize(nn.Conv2d(DIM, DIM, 1), 3), nn.ReLU()))


PARTS: dict[str, Callable[[], nn.Module]] = {
    "lowrank": lambda: Residual(branch=LowRankProjection(dim_in=DIM, dim_out=DIM, rank=3)),
    "factorised": factorised,
    "local": local,
    "sparse": sparse,
    "shared": shared,
}


@pytest.mark.parametrize("name", PARTS)
def test_float_is_one_delegate(name, tmp_path):
    torch.manual_seed(0)
    part, x = PARTS[name]().eval(), torch.randn(1, DIM, SIDE, SIDE)
    backend, path = get_backend("executorch"), tmp_path / "part.pte"
    backend.export({"look": ExportedInput(part, (x,))}, path, quantized=False)
    census = backend.census(path)
    assert census.num_partitions == 1
    assert census.outside == ()
    from executorch.runtime import Runtime

    method = Runtime.get().load_program(path).load_method("look")
    assert torch.allclose(method.execute([x])[0], part(x), atol=1e-4)


class Net(nn.Module):
    """A picture of twice the part's size to five logits."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.stem, self.part = Stem(dim_out=DIM), part
        self.head, self.classifier = ConvNorm(dim_in=DIM, dim_out=16), nn.Linear(16, 5)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.head(self.part(self.stem(image)))
        return self.classifier(x.mean(dim=(2, 3), keepdim=True).flatten(1))


def pictures(count: int, seed: int) -> torch.Tensor:
    coarse = torch.rand(count, 3, 5, 5, generator=torch.Generator().manual_seed(seed))
    return nn.functional.interpolate(coarse, (2 * SIDE, 2 * SIDE), mode="bilinear")


def num_heavy(model: nn.Module, image: torch.Tensor) -> int:
    """Convolutions and linear layers as often as they are applied."""
    calls: list[nn.Module] = []
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(lambda module, *_: calls.append(module))
    model(image)
    return len(calls)


@pytest.mark.slow
@pytest.mark.parametrize("name", PARTS)
def test_int8_in_every_runtime_after_training_under_quantization(name, tmp_path):
    torch.manual_seed(0)
    model = Net(PARTS[name]())
    for seed in range(10):
        model(pictures(16, seed))
    qat = prepare_qat(model, pictures(2, 0), get_backend("executorch").quantizer()).train()
    optimizer = torch.optim.SGD(qat.parameters(), 1e-2)
    for seed in range(4):
        nn.functional.cross_entropy(qat(pictures(16, seed)), torch.arange(16) % 5).backward()
        optimizer.step()
        optimizer.zero_grad()
    qat.freeze()
    qat.eval()
    heavy = num_heavy(model.eval(), pictures(1, 0))
    converted = convert(qat)
    logits = converted(pictures(20, 99))
    spread = (logits.max() - logits.min()).item()
    assert (logits - qat(pictures(20, 99))).abs().max() <= 0.05 * spread
    loaded = load_quantized(Net(PARTS[name]()), *quantized_state(qat), get_backend("executorch").quantizer())
    assert torch.equal(convert(loaded)(pictures(20, 99)), logits)
    assert "executorch" in available()
    for runtime in available():
        backend = get_backend(runtime)
        path = tmp_path / f"model.{backend.suffix}"
        graph = convert(qat, fold_quantize=backend.fold_quantize)
        backend.export({"look": ExportedInput(graph, (pictures(1, 0),))}, path, quantized=True)
        census = backend.census(path)
        assert census.is_int8, (runtime, census.float_heavy)
        assert census.num_int8_heavy == heavy, runtime
        assert (census.num_partitions, census.outside) == (1, ()), runtime
        images = [image[None].numpy() for image in pictures(20, 99)]
        parity = compare(
            open_engine(runtime, path).run, lambda image: converted(torch.from_numpy(image)).numpy(), images
        )
        assert parity.max_abs_diff <= 0.05 * spread, runtime
