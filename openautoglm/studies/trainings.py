"""What a study trains by: a run outside of any recipe's command."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from openautoglm.data.base import Source
from openautoglm.data.transforms import Augment
from openautoglm.stages.run import Run
from openautoglm.train import FitSettings


class Training(Protocol):
    """A study that trains."""

    @property
    def data(self) -> Source:
        """Crops of hands."""
        ...

    @property
    def augment(self) -> Augment:
        """Changes to training pictures."""
        ...


def run_of(
    study: Training,
    folder: Path,
    *,
    model: str,
    settings: FitSettings,
    seed: int,
    source: Source | None = None,
    model_arguments: Mapping[str, Any] | None = None,
    init: str | None = None,
) -> Run:
    """The run of one training.

    Args:
        study: whose.
        folder: of the training.
        model: architecture.
        settings: trainer and console.
        seed: of everything random.
        source: pictures, where they are not the study's own.
        model_arguments: its arguments besides classes and input size.
        init: released name or folder whose weights it starts from.
    """
    return Run(
        folder=folder,
        recipe=type(study).__name__,
        command="",
        seed=seed,
        source=study.data if source is None else source,
        model=model,
        model_arguments=model_arguments or {},
        init=init,
        augment=study.augment,
        settings=settings,
    )
