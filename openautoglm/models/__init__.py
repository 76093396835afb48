"""Models: the registered students and timm's teachers."""

from openautoglm.models import gesture_net as gesture_net  # registers the names
from openautoglm.models.mean import TeacherMean
from openautoglm.models.registry import (
    EarlyExits,
    Exportable,
    Observable,
    Program,
    answers,
    create_model,
    list_architectures,
    on_graph,
    traced_part,
)
from openautoglm.models.timm import TimmClassifier

__all__ = [
    "EarlyExits",
    "Exportable",
    "Observable",
    "Program",
    "TeacherMean",
    "TimmClassifier",
    "answers",
    "create_model",
    "list_architectures",
    "on_graph",
    "traced_part",
]
