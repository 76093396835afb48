"""Operations of a graph and of a program in the same words, so that both can stand side by side."""

from __future__ import annotations

import operator
from collections import Counter
from dataclasses import dataclass

from torch.fx import GraphModule

from openautoglm.export.census import Census

_HEAVY = ("conv2d", "linear")
_BATCH_NORMS = ("batch_norm", "batchnormalization")
_ACTIVATIONS = ("relu", "relu_", "clamp", "clip", "maximum")
_PRODUCTS = "products of attention"


@dataclass(frozen=True, kw_only=True)
class OperationCount:
    """What is run for one picture.

    Attributes:
        num_operations: all of the following but the fused activations.
        num_heavy: convolutions and linear layers.
        num_batch_norms: that stand alone.
        num_activations: ReLUs that stand alone.
        num_fused_activations: ReLUs that another operation applies on its way out.
        others: name to count of the rest, such as additions, reshapes and roundings.
    """

    num_operations: int
    num_heavy: int
    num_batch_norms: int
    num_activations: int
    num_fused_activations: int
    others: dict[str, int]


def count_graph(graph: GraphModule) -> OperationCount:
    """Operations of an exported graph, by their names in ATen."""
    calls = [node for node in graph.graph.nodes if node.op == "call_function" and node.target is not operator.getitem]
    counts = Counter(str(node.target).removeprefix("aten.").partition(".")[0] for node in calls)
    return _summed(sum(counts.pop(name, 0) for name in _HEAVY), 0, counts, 0)


def count_census(census: Census, *, num_batch_norms: int = 0) -> OperationCount:
    """Operations of a program.

    Args:
        census: of its file.
        num_batch_norms: convolutions among them that are BatchNorms.
    """
    num_heavy = census.num_int8_heavy + len(census.float_heavy)
    counts = Counter({_PRODUCTS: sum(census.matmul.values())})
    for name, number in census.other.items():
        counts[name.rpartition(" ")[0]] += number
    return _summed(num_heavy - num_batch_norms, num_batch_norms, counts, census.num_fused_activations)


def _summed(num_heavy: int, num_batch_norms: int, rest: Counter[str], num_fused: int) -> OperationCount:
    num_batch_norms += sum(number for name, number in rest.items() if name.lower() in _BATCH_NORMS)
    num_activations = sum(number for name, number in rest.items() if name.lower() in _ACTIVATIONS)
    known = (*_BATCH_NORMS, *_ACTIVATIONS)
    others = {name: number for name, number in sorted(rest.items()) if number and name.lower() not in known}
    return OperationCount(
        num_operations=num_heavy + num_batch_norms + num_activations + sum(others.values()),
        num_heavy=num_heavy,
        num_batch_norms=num_batch_norms,
        num_activations=num_activations,
        num_fused_activations=num_fused,
        others=others,
    )
