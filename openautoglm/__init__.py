"""openautoglm: from labelled hand gestures to a small, measured INT8 program for the phone.

The public names are loaded when they are first used: importing the package loads nothing heavy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openautoglm.api import AutoModel as AutoModel
    from openautoglm.api import Quantizer as Quantizer
    from openautoglm.data.folder import FolderGestures as FolderGestures
    from openautoglm.data.hagrid import HagridFrames as HagridFrames
    from openautoglm.data.module import GestureData as GestureData
    from openautoglm.data.parquet import ParquetGestures as ParquetGestures
    from openautoglm.data.spot import SpotData as SpotData
    from openautoglm.data.synthetic import SyntheticGestures as SyntheticGestures
    from openautoglm.data.synthetic.scenes import SyntheticScenes as SyntheticScenes
    from openautoglm.losses import CRD as CRD
    from openautoglm.losses import DKD as DKD
    from openautoglm.losses import KD as KD
    from openautoglm.losses import RKD as RKD
    from openautoglm.losses import AttentionTransfer as AttentionTransfer
    from openautoglm.losses import FitNet as FitNet
    from openautoglm.models import create_model as create_model
    from openautoglm.runtime.recognizer import Recognizer as Recognizer
    from openautoglm.train import CachedTeacher as CachedTeacher
    from openautoglm.train import LitClassify as LitClassify
    from openautoglm.train import LitDistill as LitDistill
    from openautoglm.train import LitSpot as LitSpot
    from openautoglm.types import Hand as Hand
    from openautoglm.zoo.listing import list_models as list_models

__version__ = "0.1.0"

_HOMES = {
    "AttentionTransfer": "losses",
    "AutoModel": "api",
    "CRD": "losses",
    "CachedTeacher": "train",
    "DKD": "losses",
    "FitNet": "losses",
    "FolderGestures": "data",
    "GestureData": "data",
    "HagridFrames": "data",
    "Hand": "types",
    "KD": "losses",
    "LitClassify": "train",
    "LitDistill": "train",
    "LitSpot": "train",
    "ParquetGestures": "data",
    "Quantizer": "api",
    "RKD": "losses",
    "Recognizer": "runtime.recognizer",
    "SpotData": "data",
    "SyntheticGestures": "data.synthetic",
    "SyntheticScenes": "data",
    "create_model": "models",
    "list_models": "zoo.listing",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'openautoglm' has no attribute {name!r}")
    return getattr(import_module(f"openautoglm.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
