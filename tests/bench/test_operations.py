"""Operations of a graph and of a census, in the same words."""

from __future__ import annotations

import torch

from openautoglm.bench.operations import OperationCount, count_census, count_graph
from openautoglm.export.census import Census
from openautoglm.nn import ConvNorm, Residual


def test_a_graph_is_counted_by_hand():
    branch = ConvNorm(dim_in=4, dim_out=4, act=False)
    model = torch.nn.Sequential(ConvNorm(dim_in=3, dim_out=4, kernel=3), Residual(branch=branch)).eval()
    graph = torch.export.export(model, (torch.zeros(1, 3, 8, 8),)).module()
    assert count_graph(graph) == OperationCount(
        num_operations=6, num_heavy=2, num_batch_norms=2, num_activations=1, num_fused_activations=0, others={"add": 1}
    )


def test_a_census_is_summed_up():
    census = Census(
        int8_heavy={"convolution": 3, "linear": 1},
        float_heavy=("Conv2d #7",),
        matmul={"float": 2},
        other={"Clamp int8": 2, "BatchNormalization float": 1, "Add int8": 4, "Add float": 1},
        num_fused_activations=3,
    )
    assert count_census(census, num_batch_norms=2) == OperationCount(
        num_operations=15,
        num_heavy=3,
        num_batch_norms=3,
        num_activations=2,
        num_fused_activations=3,
        others={"Add": 5, "products of attention": 2},
    )
