"""A teacher whose answers are kept on disk, so that a large or a remote one is asked about no picture twice.

The pictures of an epoch follow from (data, augmentation, sampler, seed, epoch), so its answers are one array a teacher
and epoch: of the same view that the student sees (Beyer et al., arXiv 2106.05237), not one fixed view. Other students,
losses and learning rates find it there. An array is written whole or not at all; after Ctrl-C the epochs before stay.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from openautoglm.data.cache import cached_arrays, content_key, open_array
from openautoglm.data.loader import TrainLoader
from openautoglm.tasks.frozen import computes_in_bf16

_FILE = "logits.npy"


class CachedTeacher:
    """Logits ``(n, k)`` of a teacher for the pictures of an epoch; handed to ``GestureData(taught=…)``.

    Args:
        teacher: RGB in [0, 1], ``(b, 3, h, w)``, to logits ``(b, k)``; a module or, with ``name``, any function.
        name: tells this teacher from all others; a hash of its structure and weights when None.
        bf16: run it in bfloat16 where the device computes in it.
        device: where it runs.
        root: cache folder; ``cache_dir()`` when None.

    Raises:
        ValueError: the teacher is no module and has no name.
    """

    def __init__(
        self,
        *,
        teacher: Callable[[Tensor], Tensor],
        name: str | None = None,
        bf16: bool = False,
        device: str = "cpu",
        root: str | Path | None = None,
    ) -> None:
        if isinstance(teacher, nn.Module):
            teacher = teacher.eval().to(device)
            name = name or weights_key(teacher)
        if name is None:
            raise ValueError("a teacher that is no torch module has no weights to be known by: give it a name")
        self.teacher, self.name = teacher, name
        self.bf16 = bf16 and computes_in_bf16(torch.device(device).type)
        self.device, self.root = device, root

    def __call__(self, loader: TrainLoader, epoch: int) -> NDArray[np.float32]:
        """What it says of an epoch's pictures, from disk where it was asked before."""
        key = content_key(self.name, self.bf16, loader.key(epoch))
        folder = cached_arrays(f"taught/{key}", lambda place: self._ask(loader, epoch, place / _FILE), root=self.root)
        return open_array(folder / _FILE)

    def _ask(self, loader: TrainLoader, epoch: int, path: Path) -> None:
        """Write the answers in the order of the epoch."""
        rows = []
        for batch in loader.pictures(epoch):
            image = batch.image.to(self.device)
            with torch.no_grad(), torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.bf16):
                said = self.teacher(image)
            rows.append(said.float().cpu().numpy())
        np.save(path, np.concatenate(rows))


def weights_key(model: nn.Module) -> str:
    """Hash of a module's structure and weights."""
    weights = [(name, tensor.detach().cpu().numpy().tobytes()) for name, tensor in model.state_dict().items()]
    return content_key(repr(model), weights)
