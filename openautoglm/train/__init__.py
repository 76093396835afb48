"""Training: public Lightning modules, their schedule, and a fit that can be killed and resumed."""

from openautoglm.train.cached_teacher import CachedTeacher
from openautoglm.train.fit import FitSettings, clean, fit
from openautoglm.train.lit import LitClassify, LitDistill, LitSpot, LitTask
from openautoglm.train.optim import OneCycle

__all__ = [
    "CachedTeacher",
    "FitSettings",
    "LitClassify",
    "LitDistill",
    "LitSpot",
    "LitTask",
    "OneCycle",
    "clean",
    "fit",
]
