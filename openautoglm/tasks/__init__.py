"""Tasks: what a batch costs. A task owns forward and loss; the Lightning modules only call it."""

from openautoglm.tasks.classify import Classify
from openautoglm.tasks.distill import Distill, Task
from openautoglm.tasks.exits import with_exits
from openautoglm.tasks.spot import Spot

__all__ = ["Classify", "Distill", "Spot", "Task", "with_exits"]
