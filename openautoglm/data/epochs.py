"""What the data modules share: which epoch comes next, and which part of it this process trains on."""

from __future__ import annotations

import lightning


class EpochData(lightning.LightningDataModule):
    """Loaders whose batches follow from (seed, epoch); the trainer knows the epoch, or whoever has none says it."""

    def __init__(self) -> None:
        super().__init__()
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next, when no trainer is attached."""
        self._epoch = epoch

    def current_epoch(self) -> int:
        """The trainer's epoch or, without one, what ``set_epoch`` said."""
        return self.trainer.current_epoch if self.trainer is not None else self._epoch

    def shard(self) -> tuple[int, int]:
        """Rank and number of the processes that share the steps of an epoch."""
        return (0, 1) if self.trainer is None else (self.trainer.global_rank, self.trainer.world_size)
