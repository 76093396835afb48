"""Tasks: what a batch costs. A task owns forward and loss; the Lightning modules only call it."""

from openautoglm.tasks.classify import Classify
from openautoglm.tasks.distill import Distill

__all__ = ["Classify", "Distill"]
