"""Parts of a quantised graph as programs of their own: some of its outputs, from the picture or from its middle on."""

from __future__ import annotations

import copy
import operator
from collections.abc import Sequence
from typing import Any

import torch
import torch.utils._pytree as pytree
from torch.fx import GraphModule

from openautoglm.compress.graph import AnyNode

_DEQUANTIZE = "quantized_decomposed.dequantize_per_tensor"
_SIZE = torch.ops.aten.sym_size.int
_GUARDS = "_guards_fn"
"""Module of an exported graph that compares the input's shape with that of the example."""


def take_part(
    graph: GraphModule, positions: Sequence[int], *, given: int | None = None, stride: int = 1
) -> GraphModule:
    """A copy that computes some of a graph's outputs and holds what they need; a single one is no tuple.

    Args:
        graph: a picture to a tuple of tensors.
        positions: of the outputs.
        given: position of the output that the copy is given in place of the picture; None for the picture.
        stride: pixels of the picture that a cell of it stands for.
    """
    part = copy.deepcopy(graph)
    output = next(node for node in reversed(part.graph.nodes) if node.op == "output")
    returned = output.args[0] if isinstance(output.args[0], list | tuple) else (output.args[0],)
    output.args = (tuple(returned[position] for position in positions),)
    replaced = [] if given is None else _start_from(part, returned[given], stride)
    part.graph.eliminate_dead_code()
    assert not set(replaced) & set(part.graph.nodes), "something still needs the picture"
    codegen: Any = part.graph._codegen
    shape = pytree.tree_structure(0 if len(positions) == 1 else tuple(positions))
    codegen.pytree_info = codegen.pytree_info._replace(out_spec=shape)
    used = {str(node.target) for node in part.graph.nodes if node.op == "get_attr"}
    for name in [*dict(part.named_parameters()), *dict(part.named_buffers())]:
        if name not in used:
            path, _, leaf = name.rpartition(".")
            delattr(part.get_submodule(path), leaf)
    part.delete_all_unused_submodules()
    part.recompile()
    return part


def _start_from(graph: GraphModule, value: AnyNode, stride: int) -> list[AnyNode]:
    """Let the graph's input stand for a value inside; returns what read the input before.

    What rounds the value then rounds what is given: it lies on the grid already, so that nothing changes. Sizes that
    were taken from the picture follow from those of the value.
    """
    given = next(node for node in graph.graph.nodes if node.op == "placeholder")
    readers = []
    for node in list(given.users):
        if node.target == _GUARDS:
            graph.graph.erase_node(node)
        elif node.target is not _SIZE:
            readers.append(node)
        elif node.args[1] > 1:
            with graph.graph.inserting_after(node):
                side = graph.graph.call_function(operator.mul, (node, stride))
            node.replace_all_uses_with(side, delete_user_cb=lambda user, side=side: user is not side)
    if str(value.target).startswith(_DEQUANTIZE):
        rounding = value.args[0]
        rounding.args = (given, *rounding.args[1:])
    else:
        value.replace_all_uses_with(given)
    return readers
