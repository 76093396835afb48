"""The one registry: a model's name (dashes) is its function (underscores) and its config file."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from openautoglm.tensors import Seen

_BUILDERS: dict[str, Callable[..., nn.Module]] = {}


@dataclass(frozen=True)
class Program:
    """A module that is exported, with inputs to trace it by.

    Attributes:
        module: called with ``example``; input RGB in [0, 1], or a map that another program returns.
        example: tensors of the shape the program will take, batch 1.
        outputs: names of what it returns, in order.
        traced: which outputs of the model's ``traced()`` it is made of.
        finish: built round a graph with those outputs alone, it is the program; None where the graph is.
        given: which output of ``traced()`` it starts from; None where it starts from the picture.
        stride: pixels of the picture that a cell of what it starts from stands for.
    """

    module: nn.Module
    example: tuple[Tensor, ...]
    outputs: tuple[str, ...] = ("logits",)
    traced: tuple[int, ...] = (0,)
    finish: Callable[[nn.Module], nn.Module] | None = None
    given: int | None = None
    stride: int = 1

    def of(self, graph: nn.Module) -> nn.Module:
        """The program of a quantised graph."""
        return graph if self.finish is None else self.finish(graph).eval()


@runtime_checkable
class Exportable(Protocol):
    """A model that says what is exported of it."""

    def programs(self) -> dict[str, Program]:
        """Method name to program."""
        ...

    def traced(self) -> nn.Module:
        """What is traced for quantization: one module with the outputs of every program, so that they share it."""
        ...

    def on_graph(self, graph: nn.Module) -> nn.Module:
        """The model's methods on a quantised graph of ``traced()``."""
        ...


@runtime_checkable
class Observable(Protocol):
    """A net that shows what goes on inside it."""

    def forward_intermediates(self, image: Tensor) -> list[Tensor]:
        """RGB in [0, 1], ``(b, 3, h, w)``, to maps, shallow ones first."""
        ...

    def observe(self, image: Tensor) -> Seen:
        """The same picture to these maps, what the classifier sees, and logits, in one pass."""
        ...


@runtime_checkable
class EarlyExits(Protocol):
    """A net that answers on its way, too.

    Attributes:
        exit_stages: from which of its maps; empty where it answers at its end only.
    """

    exit_stages: tuple[int, ...]

    def all_exits(self, image: Tensor) -> tuple[Tensor, ...]:
        """RGB in [0, 1], ``(b, 3, h, w)``, to the logits of every early exit, shallow ones first, and the last ones."""
        ...


def answers(model: nn.Module, image: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The logits of pictures, and those of the early exits, shallow ones first; none of a net without."""
    if not isinstance(model, EarlyExits) or not model.exit_stages:
        return model(image), ()
    *early, last = model.all_exits(image)
    return last, tuple(early)


def traced_part(model: nn.Module) -> nn.Module:
    """What of a model is traced for quantization: what it says, or itself."""
    return model.traced() if isinstance(model, Exportable) else model


def on_graph(model: nn.Module, graph: nn.Module) -> nn.Module:
    """The methods of a model on a quantised graph of its ``traced_part``; the graph itself where it says nothing."""
    return model.on_graph(graph) if isinstance(model, Exportable) else graph


def register(builder: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    """Enter a builder under its own name."""
    _BUILDERS[builder.__name__.replace("_", "-")] = builder
    return builder


def list_architectures() -> list[str]:
    """Registered names, sorted."""
    return sorted(_BUILDERS)


def create_model(name: str, **arguments: Any) -> nn.Module:
    """Build a registered model.

    Args:
        name: such as ``"openautoglm-small"``.
        **arguments: of the builder: ``num_classes``, ``image_size`` and its own.

    Raises:
        ValueError: the name is not registered, or an argument does not fit.
    """
    if name not in _BUILDERS:
        near = difflib.get_close_matches(name, _BUILDERS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"no model is called {name!r}{hint} (known: {', '.join(list_architectures())})")
    try:
        return _BUILDERS[name](**arguments)
    except TypeError as error:
        raise ValueError(f"model {name} does not take these arguments: {error}") from error
