"""Stateless random numbers: a hash of (seed, epoch, picture, ...), so nothing has to be saved to resume.

The mixing step is that of SplitMix64 (Steele, Lea, Flood 2014, doi 10.1145/2660193.2660195).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_STEP = np.uint64(0x9E3779B97F4A7C15)


def uniform(*key: int | NDArray[np.int64], num: int) -> NDArray[np.float64]:
    """``num`` values in [0, 1) for each key.

    Args:
        key: integers or equally long arrays of them; a row depends on its own keys only.
        num: columns of the answer, ``(rows, num)``.
    """
    with np.errstate(over="ignore"):
        state = np.zeros(1, np.uint64)
        for part in key:
            state = _mix(state + _STEP + np.asarray(part, np.int64).astype(np.uint64))
        columns = np.arange(1, num + 1, dtype=np.uint64) * _STEP
        bits = _mix(state[:, None] + columns[None, :])
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


class Draws:
    """Hands out the columns of a table of random numbers, each once."""

    def __init__(self, table: NDArray[np.float64]) -> None:
        self._table = table
        self._used = 0

    def next(self) -> NDArray[np.float64]:
        """One number a row, in [0, 1)."""
        return self.block(1)[:, 0]

    def symmetric(self) -> NDArray[np.float64]:
        """One number a row, in [-1, 1)."""
        return 2 * self.next() - 1

    def block(self, num: int) -> NDArray[np.float64]:
        """Some numbers a row."""
        self._used += num
        assert self._used <= self._table.shape[1]
        return self._table[:, self._used - num : self._used]


def generator(*key: int) -> np.random.Generator:
    """A numpy generator for whole-epoch choices."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([part & 0xFFFFFFFFFFFFFFFF for part in key])))


def _mix(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
