"""Distillation losses: a pure function and a thin class that keeps its numbers, one method a file."""

from openautoglm.losses.attention import AttentionTransfer, attention_transfer_loss
from openautoglm.losses.base import DistillationLoss, LearntLoss, Loss
from openautoglm.losses.contrastive import CRD, crd_loss
from openautoglm.losses.dkd import DKD, dkd_loss
from openautoglm.losses.exits import ExitsLoss, exits_loss
from openautoglm.losses.feature import FitNet, hint_loss
from openautoglm.losses.glance import GlanceKD, glance_kd_losses
from openautoglm.losses.kd import KD, kd_loss
from openautoglm.losses.relation import RKD, rkd_angle_loss, rkd_distance_loss

__all__ = [
    "CRD",
    "DKD",
    "KD",
    "RKD",
    "AttentionTransfer",
    "DistillationLoss",
    "ExitsLoss",
    "FitNet",
    "GlanceKD",
    "LearntLoss",
    "Loss",
    "attention_transfer_loss",
    "crd_loss",
    "dkd_loss",
    "exits_loss",
    "glance_kd_losses",
    "hint_loss",
    "kd_loss",
    "rkd_angle_loss",
    "rkd_distance_loss",
]
