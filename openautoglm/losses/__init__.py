"""Distillation losses: a pure function and a thin class that keeps its numbers, one method a file."""

from openautoglm.losses.base import DistillationLoss
from openautoglm.losses.dkd import DKD, dkd_loss
from openautoglm.losses.kd import KD, kd_loss

__all__ = ["DKD", "KD", "DistillationLoss", "dkd_loss", "kd_loss"]
