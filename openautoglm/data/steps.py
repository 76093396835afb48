"""Batches that follow from (epoch, number) alone: made where they are asked for, ahead by a thread, or by processes."""

from __future__ import annotations

import multiprocessing
import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, Generic, Protocol, TypeVar

from torch.utils.data import DataLoader, Dataset, Sampler

T = TypeVar("T")


class StepLoader(ABC, Generic[T]):
    """The batches of one epoch in order, the same ones whoever makes them.

    Args:
        epoch: asked when the first batch of an iteration is taken.
        num_prefetch: batches a thread makes ahead; 0 for none.
        num_workers: processes that make them ahead instead, for a device that is faster than one core; 0 for none.

    Raises:
        ValueError: processes are asked for on a system that cannot fork them.
    """

    def __init__(self, *, epoch: Callable[[], int], num_prefetch: int = 0, num_workers: int = 0) -> None:
        if num_workers < 0:
            raise ValueError(f"num_workers={num_workers} should be a number of processes, 0 for none")
        if num_workers and not can_fork():
            raise ValueError(f"num_workers={num_workers} needs a system that forks processes; set it to 0 here")
        self._epoch = epoch
        self._num_prefetch, self._num_workers = num_prefetch, num_workers
        self._pool: _Pool[T] | None = None

    @abstractmethod
    def __len__(self) -> int:
        """Steps of this process in an epoch."""

    @abstractmethod
    def make(self, epoch: int, number: int) -> T:
        """A batch of this process, in any process and in any order."""

    def complete(self, batch: T, epoch: int, number: int) -> T:  # noqa: ARG002
        """Add what only the process that trains knows."""
        return batch

    def __iter__(self) -> Iterator[T]:
        epoch = self._epoch()
        for number, batch in enumerate(self._made(epoch)):
            yield self.complete(batch, epoch, number)

    def _made(self, epoch: int) -> Iterator[T]:
        if self._num_workers:
            # the same processes in every epoch: to fork some beside a device takes a second or more
            self._pool = self._pool or _Pool(self, self._num_workers)
            return self._pool(epoch)
        batches = (self.make(epoch, number) for number in range(len(self)))
        return ahead(batches, self._num_prefetch) if self._num_prefetch else batches


class Plan(Protocol):
    """What an epoch shows, in batches of these sizes."""

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """Pictures of each step."""
        ...


P = TypeVar("P", bound=Plan)


class PlannedLoader(StepLoader[T], Generic[T, P]):
    """Batches that are slices of a plan, which follows from the epoch; every process takes its share of them.

    Args:
        shard: rank and number of processes that share the steps of an epoch.
        epoch: see ``StepLoader``, as the rest.
        num_prefetch: likewise.
        num_workers: likewise.
    """

    def __init__(
        self,
        *,
        shard: Callable[[], tuple[int, int]],
        epoch: Callable[[], int],
        num_prefetch: int = 0,
        num_workers: int = 0,
    ) -> None:
        super().__init__(epoch=epoch, num_prefetch=num_prefetch, num_workers=num_workers)
        self._shard = shard
        self._planned: tuple[int, P] | None = None

    @abstractmethod
    def _new_plan(self, epoch: int) -> P: ...

    def _plan(self, epoch: int) -> P:
        if self._planned is None or self._planned[0] != epoch:
            self._planned = epoch, self._new_plan(epoch)
        return self._planned[1]

    def _part(self, epoch: int, number: int) -> int:
        """Which batch of the epoch: every process makes the same number of steps, each with its own pictures."""
        rank, num_ranks = self._shard()
        return (number * num_ranks + rank) % len(self._plan(epoch).batch_sizes)

    def _slice(self, epoch: int, part: int) -> slice:
        """The pictures of a batch."""
        sizes = self._plan(epoch).batch_sizes
        start = sum(sizes[:part])
        return slice(start, start + sizes[part])


def can_fork() -> bool:
    """Whether a process may split here and share what it has read."""
    return "fork" in multiprocessing.get_all_start_methods()


class _Pool(Generic[T]):
    def __init__(self, loader: StepLoader[T], num_workers: int) -> None:
        self._keys = _Keys(len(loader))
        self._loader: DataLoader[T] = DataLoader(
            _Made(loader),
            batch_size=None,
            sampler=self._keys,
            num_workers=num_workers,
            collate_fn=_as_it_is,
            multiprocessing_context="fork",
            persistent_workers=True,
        )

    def __call__(self, epoch: int) -> Iterator[T]:
        self._keys.epoch = epoch
        return iter(self._loader)


class _Made(Dataset[T]):
    def __init__(self, loader: StepLoader[T]) -> None:
        self._loader = loader

    def __getitem__(self, key: tuple[int, int]) -> T:
        return self._loader.make(*key)


class _Keys(Sampler[tuple[int, int]]):
    def __init__(self, count: int) -> None:
        self.epoch, self._count = 0, count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter([(self.epoch, number) for number in range(self._count)])


def _as_it_is(batch: Any) -> Any:
    return batch


def ahead(batches: Iterator[T], num_ahead: int) -> Iterator[T]:
    """Make batches in a thread, in the same order; the thread ends with the iteration."""
    made: queue.Queue[T | BaseException | None] = queue.Queue(num_ahead)
    stopped = threading.Event()

    def put(item: T | BaseException | None) -> bool:
        while not stopped.is_set():
            try:
                made.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for batch in batches:
                if not put(batch):
                    return
            put(None)
        except BaseException as error:  # handed to the consumer, which raises it
            put(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while (item := made.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join()
