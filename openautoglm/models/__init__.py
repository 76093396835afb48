"""Models: the registered students and timm's teachers."""

from openautoglm.models import gesture_net as gesture_net  # registers the names
from openautoglm.models.registry import Exportable, Program, create_model, list_architectures
from openautoglm.models.timm import TimmClassifier

__all__ = ["Exportable", "Program", "TimmClassifier", "create_model", "list_architectures"]
