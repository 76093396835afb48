"""Data: pictures, whole frames and their labels, read or rendered, and the batches made of them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openautoglm.data.boxes import BoxFrames as BoxFrames
    from openautoglm.data.contact import contact_sheet as contact_sheet
    from openautoglm.data.contact import frame_sheet as frame_sheet
    from openautoglm.data.folder import FolderGestures as FolderGestures
    from openautoglm.data.hagrid import HagridFrames as HagridFrames
    from openautoglm.data.labelled_frames import LabelledFrames as LabelledFrames
    from openautoglm.data.module import GestureData as GestureData
    from openautoglm.data.parquet import ParquetGestures as ParquetGestures
    from openautoglm.data.sampler import BalancedSampler as BalancedSampler
    from openautoglm.data.sampler import SceneSampler as SceneSampler
    from openautoglm.data.scene_augment import SceneAugment as SceneAugment
    from openautoglm.data.spot import SpotData as SpotData
    from openautoglm.data.synthetic import SyntheticGestures as SyntheticGestures
    from openautoglm.data.synthetic.scenes import SyntheticScenes as SyntheticScenes
    from openautoglm.data.transforms import Augment as Augment

_HOMES = {
    "Augment": "transforms",
    "BalancedSampler": "sampler",
    "BoxFrames": "boxes",
    "FolderGestures": "folder",
    "GestureData": "module",
    "HagridFrames": "hagrid",
    "LabelledFrames": "labelled_frames",
    "ParquetGestures": "parquet",
    "SceneAugment": "scene_augment",
    "SceneSampler": "sampler",
    "SpotData": "spot",
    "SyntheticGestures": "synthetic",
    "SyntheticScenes": "synthetic.scenes",
    "contact_sheet": "contact",
    "frame_sheet": "contact",
}
__all__ = [
    "Augment",
    "BalancedSampler",
    "BoxFrames",
    "FolderGestures",
    "GestureData",
    "HagridFrames",
    "LabelledFrames",
    "ParquetGestures",
    "SceneAugment",
    "SceneSampler",
    "SpotData",
    "SyntheticGestures",
    "SyntheticScenes",
    "contact_sheet",
    "frame_sheet",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
