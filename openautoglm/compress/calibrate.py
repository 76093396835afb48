"""Post-training quantization: the ranges of activations from some pictures; nothing is trained.

Weights take one scale a channel, as in training. A range is what an observer makes of all values that pass one place
of the graph while it computes in float:

    minmax          the smallest and the largest ever seen
    moving_average  both averaged over batches, the newest weighing ``1 - MOMENTUM`` (arXiv 1712.05877, section 3.1)
    percentile      what is left when the rarest values at both ends are cut off (arXiv 2004.09602, section 4)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, Protocol

import torch
from torch import Tensor
from torch.fx import GraphModule

from openautoglm.compress import graph as surgery
from openautoglm.compress.grid import GridQuantize, PictureQuantize
from openautoglm.compress.pt2e import QATModel, settle

RangeMethod = Literal["minmax", "moving_average", "percentile"]
MOMENTUM = 0.9
PERCENTILE = 99.99
"""Share of the values, in per cent, that lie below the upper end of a percentile range, and above its lower end."""
_NUM_BINS = 2048
_SMALLEST_SCALE = 2.0**-12  # of an activation, as XNNPACK's own observers have it


class Observer(Protocol):
    """Sees every value at one place and says what range they need."""

    def see(self, x: Tensor) -> None:
        """Take in one batch."""
        ...

    def wants_more(self) -> bool:
        """Told that all batches went by; whether they are to come once more."""
        ...

    def limits(self) -> tuple[float, float]:
        """Lower and upper end."""
        ...


class MinMax:
    """The smallest and the largest value."""

    def __init__(self) -> None:
        self._low, self._high = float("inf"), float("-inf")

    def see(self, x: Tensor) -> None:
        """Widen the range."""
        low, high = x.aminmax()
        self._low, self._high = min(self._low, float(low)), max(self._high, float(high))

    def wants_more(self) -> bool:
        """Once is enough."""
        return False

    def limits(self) -> tuple[float, float]:
        """Of all batches."""
        return self._low, self._high


class MovingAverage:
    """Smallest and largest value of a batch, averaged over batches."""

    def __init__(self) -> None:
        self._limits: tuple[float, float] | None = None

    def see(self, x: Tensor) -> None:
        """Move towards this batch."""
        low, high = (float(end) for end in x.aminmax())
        if self._limits is not None:
            old_low, old_high = self._limits
            low = MOMENTUM * old_low + (1 - MOMENTUM) * low
            high = MOMENTUM * old_high + (1 - MOMENTUM) * high
        self._limits = low, high

    def wants_more(self) -> bool:
        """Once is enough."""
        return False

    def limits(self) -> tuple[float, float]:
        """As they stand after the last batch."""
        assert self._limits is not None, "nothing was seen"
        return self._limits


class Percentile:
    """The middle of the distribution: a first pass finds its ends, a second one counts between them."""

    def __init__(self) -> None:
        self._ends = MinMax()
        self._counts: Tensor | None = None

    def see(self, x: Tensor) -> None:
        """Find the ends, then fill the histogram."""
        if self._counts is None:
            self._ends.see(x)
        else:
            self._counts += torch.histc(x.float(), _NUM_BINS, *self._ends.limits()).double()

    def wants_more(self) -> bool:
        """Once the ends are known, for the histogram."""
        if self._counts is not None:
            return False
        self._counts = torch.zeros(_NUM_BINS, dtype=torch.float64)
        return True

    def limits(self) -> tuple[float, float]:
        """Edges of the outermost bins that are not cut off."""
        assert self._counts is not None, "the histogram is empty"
        low, high = self._ends.limits()
        below = self._counts.cumsum(0) / self._counts.sum()
        cut = 1 - PERCENTILE / 100
        first, last = int((below > cut).nonzero()[0]), int((below >= 1 - cut).nonzero()[0])
        width = (high - low) / _NUM_BINS
        return low + first * width, low + (last + 1) * width


_OBSERVERS: dict[str, type[Any]] = {"minmax": MinMax, "moving_average": MovingAverage, "percentile": Percentile}


def calibrate(qat: QATModel, images: Iterable[Tensor], *, ranges: RangeMethod = "moving_average") -> QATModel:
    """A frozen copy of a prepared model, its activations' ranges taken from pictures.

    Args:
        qat: of ``prepare_qat``; not changed.
        images: batches, RGB in [0, 1], ``(b, 3, h, w)``: some hundred pictures like those to come.
        ranges: how a range follows from the values.

    Raises:
        ValueError: no pictures, no such method, or values that are not finite.
    """
    if ranges not in _OBSERVERS:
        raise ValueError(f"ranges must be one of {', '.join(_OBSERVERS)}, got {ranges!r}")
    batches = list(images)
    if not batches:
        raise ValueError("calibration got no pictures: give batches of RGB in [0, 1], of shape (b, 3, h, w)")
    graph = settle(qat)
    surgery.measure_weights(graph)
    observers = _observe(graph, batches, ranges)
    for module, observer in observers.items():
        module.scale, module.zero_point = _grid(observer.limits(), module)
    return QATModel(graph, frozen=True).eval()


def _observe(graph: GraphModule, batches: Sequence[Tensor], ranges: str) -> dict[GridQuantize, Observer]:
    """Run the graph in float and let an observer watch each place where activations will be rounded."""
    modules = [module for _, module in surgery.quantizer_nodes(graph) if isinstance(module, GridQuantize)]
    # one scale for a whole tensor: an activation, or a constant that meets one
    observers: dict[GridQuantize, Observer] = {
        module: _OBSERVERS[ranges]()
        for module in modules
        if not module.is_per_channel and not isinstance(module, PictureQuantize)
    }
    handles = [
        module.register_forward_pre_hook(lambda _, given, observer=observer: observer.see(given[0]))
        for module, observer in observers.items()
    ]
    for module in modules:
        module.disable_fake_quant()
    waiting = bool(observers)
    with torch.no_grad():
        while waiting:
            for batch in batches:
                graph(batch)
            asked = [observer.wants_more() for observer in observers.values()]  # every one must be told
            waiting = any(asked)
    for handle in handles:
        handle.remove()
    for module in modules:
        module.enable_fake_quant()
    return observers


def _grid(limits: tuple[float, float], module: GridQuantize) -> tuple[Tensor, Tensor]:
    """Scale and zero point of a range, which always holds zero: padding must be exact."""
    low, high = min(limits[0], 0.0), max(limits[1], 0.0)
    if not torch.isfinite(torch.tensor([low, high])).all():
        raise ValueError(
            "calibration met values that are not finite: look at the pictures, which must lie in [0, 1], and at the "
            "weights"
        )
    scale = max((high - low) / (module.quant_max - module.quant_min), _SMALLEST_SCALE)
    zero_point = min(max(module.quant_min - round(low / scale), module.quant_min), module.quant_max)
    return torch.tensor([scale]), torch.tensor([zero_point], dtype=torch.int32)
