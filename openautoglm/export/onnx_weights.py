"""One file of weights for all methods of an ONNX program: each method's file holds its graph alone.

ONNX's external data: a tensor says in which file beside its own it lies, and where in it. Every runtime reads it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_LEAST_BYTES = 256
"""Of a tensor that moves out; smaller ones, scales and shapes, are needed to read the graph."""
_ALIGNMENT = 64
"""Of each tensor in bytes: a cache line, so that it can be mapped and read as it lies."""


def share_weights(models: Iterable[Any]) -> dict[str, bytes]:
    """Move the large tensors of several models out of them, each content once.

    Args:
        models: ``onnx.ModelProto``s, which are changed.

    Returns:
        Name and content of the file that has to lie beside theirs; none where every tensor is small. The name follows
        from the content, so it stays when the programs are renamed, and no two programs in a folder take each other's.
    """
    from onnx.external_data_helper import set_external_data

    places: dict[bytes, int] = {}
    content = bytearray()
    moved = []
    for model in models:
        for tensor in model.graph.initializer:
            if len(tensor.raw_data) < _LEAST_BYTES:
                continue
            if tensor.raw_data not in places:
                content.extend(bytes(-len(content) % _ALIGNMENT))
                places[tensor.raw_data] = len(content)
                content.extend(tensor.raw_data)
            moved.append(tensor)
    name = f"model.{hashlib.sha256(content).hexdigest()[:8]}.weights"
    for tensor in moved:
        set_external_data(tensor, name, offset=places[tensor.raw_data], length=len(tensor.raw_data))
        tensor.ClearField("raw_data")
    return {name: bytes(content)} if content else {}


def weights_of(path: Path) -> tuple[Path, ...]:
    """The files beside a program that hold its weights; none where it holds them itself."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    names = {
        entry.value for tensor in model.graph.initializer for entry in tensor.external_data if entry.key == "location"
    }
    return tuple(path.parent / name for name in sorted(names))
