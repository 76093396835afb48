"""Mixed precision: which layers suffer from INT8, found by rounding each of them alone.

A layer that is left in float keeps float weights; what it reads and writes stays on the INT8 grids of its neighbours,
because these are all there is in the program around it. So layers are ranked by what rounding their weights does to
the outputs, and what rounding their outputs does stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.fx import GraphModule

from openautoglm.compress import graph as surgery
from openautoglm.compress.grid import FakeQuantizeBase
from openautoglm.compress.pt2e import QATModel, settle

WEIGHT = ".weight"


@dataclass(frozen=True, kw_only=True)
class LayerSensitivity:
    """What INT8 does to the outputs when it touches one layer only.

    Attributes:
        layer: its name in the float model.
        num_params: weights of it.
        weight_error: ``‖y' − y‖² / ‖y‖²`` over the logits y when its weights alone are rounded.
        output_error: the same when its output alone is; None where nothing rounds it.
    """

    layer: str
    num_params: int
    weight_error: float
    output_error: float | None


def rank_layers(qat: QATModel, images: Iterable[Tensor]) -> tuple[LayerSensitivity, ...]:
    """Sensitivity of every convolution and linear layer, the worst weights first.

    Args:
        qat: calibrated or trained; not changed.
        images: batches, RGB in [0, 1], ``(b, 3, h, w)``; those it was calibrated on will do.
    """
    graph, batches = settle(qat), list(images)
    if not batches:
        raise ValueError("sensitivity got no pictures: give batches of RGB in [0, 1], of shape (b, 3, h, w)")
    nodes = list(surgery.quantizer_nodes(graph))
    by_name = {str(node.target): module for node, module in nodes}
    for _, module in nodes:
        module.disable_fake_quant()
    expected = _outputs(graph, batches)
    rows = []
    for node, module in nodes:
        source = node.args[0]
        if not module.is_per_channel:
            continue
        with _rounding(module):
            weight_error = _relative(_outputs(graph, batches), expected)
        output_error = None
        if (reader := _rounds_output(node, set(by_name))) is not None:
            with _rounding(by_name[reader]):
                output_error = _relative(_outputs(graph, batches), expected)
        rows.append(
            LayerSensitivity(
                layer=str(source.target).removesuffix(WEIGHT),
                num_params=surgery.parameter(graph, source).numel(),
                weight_error=weight_error,
                output_error=output_error,
            )
        )
    return tuple(sorted(rows, key=lambda row: -row.weight_error))


def leave_in_float(qat: QATModel, layers: Sequence[str]) -> QATModel:
    """A copy whose weights of some layers are not rounded.

    Args:
        qat: calibrated or trained; not changed.
        layers: names as ``rank_layers`` gives them.

    Raises:
        ValueError: there is no such layer.
    """
    graph = settle(qat)
    surgery.drop_weight_quantizers(graph, [layer + WEIGHT for layer in layers])
    return QATModel(graph, frozen=True).eval()


@contextmanager
def _rounding(module: FakeQuantizeBase) -> Iterator[None]:
    module.enable_fake_quant()
    try:
        yield
    finally:
        module.disable_fake_quant()


def _outputs(graph: GraphModule, batches: list[Tensor]) -> Tensor:
    """The logits of all batches; of several outputs they come first."""
    with torch.no_grad():
        returned = [graph(batch) for batch in batches]
    return torch.cat([found if isinstance(found, Tensor) else found[0] for found in returned])


def _relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).square().sum() / expected.square().sum())


def _rounds_output(quantizer: surgery.AnyNode, quantizers: set[str]) -> str | None:
    """The quantiser that reads what a weight's layer puts out, behind its activation if there is one."""
    node = next(iter(quantizer.users))
    while len(node.users) == 1:
        node = next(iter(node.users))
        if node.op == "call_module" and str(node.target) in quantizers:
            return str(node.target)
        if node.op != "call_function" or "relu" not in str(node.target):
            return None
    return None
