"""torchao's patterns of a convolution and its BatchNorm, traced once a process.

``prepare_qat_pt2e`` traces the same two dozen patterns again for every net: two thirds of the time that a small one
takes to prepare, also on every load of an INT8 artifact.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import Any

from torch import Tensor, nn
from torch.fx import GraphModule

_TRACE = "_get_aten_graph_module_for_pattern"
_TRACERS = ("torchao.quantization.pt2e.qat_utils", "executorch.backends.xnnpack.quantizer.xnnpack_quantizer_utils")
_traced: dict[Hashable, GraphModule] = {}


@contextmanager
def remembered_patterns() -> Iterator[None]:
    """Inside it torchao gets a copy of what it has traced before; should it rename its tracer, nothing changes."""
    before = {module: getattr(module, _TRACE) for name in _TRACERS if hasattr(module := sys.modules.get(name), _TRACE)}
    try:
        for module, trace in before.items():
            setattr(module, _TRACE, _remembering(trace))
        yield
    finally:
        for module, trace in before.items():
            setattr(module, _TRACE, trace)


def _remembering(trace: Callable[..., GraphModule]) -> Callable[..., GraphModule]:
    def remember(pattern: Any, *given: Any, **named: Any) -> GraphModule:
        key = _key_of(pattern, given, named)
        if key is None:
            return trace(pattern, *given, **named)
        if key not in _traced:
            _traced[key] = trace(pattern, *given, **named)
        return copy.deepcopy(_traced[key])  # who asks for it changes it

    return remember


def _key_of(pattern: Any, given: tuple[Any, ...], named: dict[str, Any]) -> Hashable | None:
    """The pattern's code and what it closes over, and shapes and types of its inputs; None where that is not all."""
    function = getattr(pattern, "fn", None)
    if not isinstance(function, FunctionType) or (isinstance(pattern, nn.Module) and any(pattern.parameters())):
        return None
    closed = tuple(cell.cell_contents for cell in function.__closure__ or ())
    key = (function.__code__, closed, function.__defaults__, _plain(given), _plain(tuple(sorted(named.items()))))
    try:
        hash(key)
    except TypeError:
        return None
    return key


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        return tuple(value.shape), value.dtype, value.device
    return tuple(map(_plain, value)) if isinstance(value, tuple | list) else value
