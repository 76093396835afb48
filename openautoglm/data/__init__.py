"""Data: pictures and labels from parquet, folders or the built-in renderer, and the batches made of them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openautoglm.data.contact import contact_sheet as contact_sheet
    from openautoglm.data.folder import FolderGestures as FolderGestures
    from openautoglm.data.module import GestureData as GestureData
    from openautoglm.data.parquet import ParquetGestures as ParquetGestures
    from openautoglm.data.sampler import BalancedSampler as BalancedSampler
    from openautoglm.data.synthetic import SyntheticGestures as SyntheticGestures
    from openautoglm.data.transforms import Augment as Augment

_HOMES = {
    "Augment": "transforms",
    "BalancedSampler": "sampler",
    "FolderGestures": "folder",
    "GestureData": "module",
    "ParquetGestures": "parquet",
    "SyntheticGestures": "synthetic",
    "contact_sheet": "contact",
}
__all__ = [
    "Augment",
    "BalancedSampler",
    "FolderGestures",
    "GestureData",
    "ParquetGestures",
    "SyntheticGestures",
    "contact_sheet",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
