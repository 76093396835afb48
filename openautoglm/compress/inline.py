"""Regions that a net keeps out of autocast, as EfficientViT does its attention, put into the graph around them.

No runtime knows such regions. They stay in float32, as the net asks for: nothing in them is rounded while it learns.
"""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch.fx import GraphModule

_WRAPPED = torch.ops.higher_order.wrap_with_autocast
_ASSERTS = torch.ops.aten._assert_tensor_metadata.default
_TO_DTYPE = torch.ops.aten.to.dtype


def inline_autocast(graph: GraphModule) -> None:
    """Put the operations of such regions in their place.

    Raises:
        ValueError: a region computes in another precision than float32, or holds weights of its own.
    """
    wrapped = [node for node in graph.graph.nodes if node.op == "call_function" and node.target is _WRAPPED]
    for node in wrapped:
        _, dtype, enabled, _, region, *given = node.args
        if enabled:
            raise ValueError(f"a part of the net computes in {dtype}; INT8 programs are made of float32 nets")
        _inline(graph, node, graph.get_submodule(region.target), given)
    if wrapped:
        graph.graph.eliminate_dead_code()
        graph.delete_all_unused_submodules()
        graph.recompile()


def _inline(graph: GraphModule, node: Any, region: Any, given: list[Any]) -> None:
    """Copy a region before the node that calls it, without the casts and checks that autocast has left there."""
    for inner in list(region.graph.nodes):
        if inner.op == "get_attr":
            raise ValueError(f"a part of the net outside autocast holds {inner.target}: move what it holds out of it")
        if inner.target is _ASSERTS:
            region.graph.erase_node(inner)
        elif inner.target is _TO_DTYPE and inner.args[1] is torch.float32:
            inner.replace_all_uses_with(inner.args[0])
            region.graph.erase_node(inner)
    known = dict(zip((inner for inner in region.graph.nodes if inner.op == "placeholder"), given, strict=True))
    with graph.graph.inserting_before(node):
        returned: Any = graph.graph.graph_copy(region.graph, known)
    for user in list(node.users):
        assert user.target is operator.getitem
        user.replace_all_uses_with(returned[user.args[1]])
        graph.graph.erase_node(user)
    graph.graph.erase_node(node)
