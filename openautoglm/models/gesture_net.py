"""GestureNet: a hand crop in, gesture logits out; convolutions first, attention where few tokens are left.

One net for two looks: ``glance`` finds the hands in a whole frame, ``forward`` names the crop of one; all that is
costly is shared, so both are methods of one program. A look may end early: at an exit behind one of the stages.

Shaped by what XNNPACK runs in INT8: ReLU, BatchNorm (folded), additions, a mean over positions. Dense 3x3 convolutions
while channels are few (a depthwise one is bound by memory there), depthwise-separable ones later, and most parameters
at 1/16 and 1/32 of the resolution, where they cost little time.

    3 x s x s ─ stem 1/2 ─ dense 1/4 ─ separable 1/8 ─ separable, transformer 1/16 ─ separable 1/32 ─ mean ─ linear
                                           └──────────────────┴─────────────────────────┴─ fusion ─ where, which
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from openautoglm.maps import GlanceMaps
from openautoglm.models.registry import Program, register
from openautoglm.nn import (
    ConvNorm,
    DepthwiseFeedForward,
    ExitHead,
    LowRankAttention,
    Residual,
    Stem,
    TransformerBlock,
)
from openautoglm.nn.glance import GlanceHead
from openautoglm.tensors import Seen

_NO_GLANCE = "this net names crops only: build it with glance_size, such as glance_size=192"


class GestureNet(nn.Module):
    """A hybrid of convolutions and lightweight transformer blocks.

    Args:
        num_classes: outputs k.
        image_size: side of the square input in pixels, a multiple of 32; used by ``programs`` only.
        dims: channels at 1/2, 1/4, 1/8, 1/16 and 1/32.
        depths: residual blocks behind the first layer at 1/8, transformer blocks at 1/16, residual blocks at 1/32.
        expansion: hidden channels of a feed-forward as a multiple of its input's.
        num_heads: heads of an attention.
        rank: width of a query and a key, per head.
        head_dim: channels that are averaged before the classifier.
        glance_size: side of the square that a whole frame is scaled to for the glance, a multiple of 32; None for a
            net that names crops only.
        glance_dim: channels of the glance's fused map.
        near_size: side of the square that the surroundings of a hand are scaled to for a glance of their own, a
            multiple of 32; None for a net that uses ``glance`` for that too.
        fusion: how the glance joins its three scales.
        hidden: hidden channels of each feed-forward in the order they run, as pruning leaves them; None for
            ``expansion`` times its input's.
        heads: heads of each attention, likewise; None for ``num_heads``.
        value_dim: width of a value, per head; None for the token's width over ``num_heads``.
        exit_stages: maps that an early exit answers from, by their place in ``forward_intermediates``: 2 for the one at
            1/8, 3 for the one at 1/16; None for a net that answers at its end only.
        exit_dim: channels that an early exit averages.
    """

    def __init__(
        self,
        *,
        num_classes: int,
        image_size: int = 96,
        dims: Sequence[int] = (32, 64, 96, 144, 256),
        depths: Sequence[int] = (1, 1, 1),
        expansion: int = 3,
        num_heads: int = 4,
        rank: int = 16,
        head_dim: int = 512,
        glance_size: int | None = None,
        glance_dim: int = 64,
        fusion: str = "entropy",
        hidden: Sequence[int] | None = None,
        heads: Sequence[int] | None = None,
        value_dim: int | None = None,
        exit_stages: Sequence[int] | None = None,
        exit_dim: int = 192,
        near_size: int | None = None,
    ) -> None:
        super().__init__()
        for name, size in (
            ("image_size", image_size),
            ("glance_size", glance_size or 32),
            ("near_size", near_size or 32),
        ):
            if size % 32:
                raise ValueError(f"{name} must be a multiple of 32, got {size}")
        if near_size is not None and glance_size is None:
            raise ValueError(f"near_size={near_size} is for whole frames: give the net a glance_size too, such as 256")
        self.image_size, self.glance_size, self.near_size = image_size, glance_size, near_size
        self.exit_stages = _checked_exits(exit_stages, len(dims) - 1)
        self.arguments: dict[str, Any] = {
            "num_classes": num_classes,
            "image_size": image_size,
            "dims": list(dims),
            "depths": list(depths),
            "expansion": expansion,
            "num_heads": num_heads,
            "rank": rank,
            "head_dim": head_dim,
            "glance_size": glance_size,
            "glance_dim": glance_dim,
            "fusion": fusion,
        }
        pruned = {"hidden": hidden and list(hidden), "heads": heads and list(heads), "value_dim": value_dim}
        # a net that was not pruned says no more than it did before there was pruning
        self.arguments |= {name: value for name, value in pruned.items() if value is not None}
        if self.exit_stages:
            self.arguments |= {"exit_stages": list(self.exit_stages), "exit_dim": exit_dim}
        if near_size is not None:
            self.arguments["near_size"] = near_size
        half, quarter, eighth, sixteenth, last = dims
        widths = _one_each("hidden", hidden, 3 + sum(depths))
        counts = _one_each("heads", heads, depths[1])

        def feedforward(dim_in: int, dim_out: int, stride: int = 1) -> DepthwiseFeedForward:
            width = next(widths) or expansion * dim_in
            return DepthwiseFeedForward(dim_in=dim_in, dim_out=dim_out, hidden=width, stride=stride)

        def transformer() -> TransformerBlock:
            attention = LowRankAttention(
                dim=sixteenth, num_heads=next(counts) or num_heads, rank=rank, value_dim=value_dim
            )
            return TransformerBlock(attention=attention, feedforward=feedforward(sixteenth, sixteenth))

        self.stem = Stem(dim_out=half)
        self.stages = nn.ModuleList(
            [
                ConvNorm(dim_in=half, dim_out=quarter, kernel=3, stride=2),
                nn.Sequential(
                    feedforward(quarter, eighth, stride=2),
                    *[Residual(branch=feedforward(eighth, eighth)) for _ in range(depths[0])],
                ),
                nn.Sequential(feedforward(eighth, sixteenth, stride=2), *[transformer() for _ in range(depths[1])]),
                nn.Sequential(
                    feedforward(sixteenth, last, stride=2),
                    *[Residual(branch=feedforward(last, last)) for _ in range(depths[2])],
                ),
            ]
        )
        self.head = ConvNorm(dim_in=last, dim_out=head_dim)
        self.classifier = nn.Linear(head_dim, num_classes)
        self.glance_head: GlanceHead | None = None
        if glance_size is not None:
            dims_fused = (eighth, sixteenth, last)
            self.glance_head = GlanceHead(dims=dims_fused, dim=glance_dim, num_classes=num_classes, fusion=fusion)
        self.exits = nn.ModuleList(
            [ExitHead(dim_in=dims[stage], dim=exit_dim, num_classes=num_classes) for stage in self.exit_stages]
        )

    def forward_intermediates(self, image: Float[Tensor, "b 3 h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        """Feature maps at 1/2, 1/4, 1/8, 1/16 and 1/32 of the input's size."""
        features = [self.stem(image)]
        for stage in self.stages:
            features.append(stage(features[-1]))
        return features

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b k"]:
        """RGB in [0, 1], ``(b, 3, h, w)``, to logits ``(b, k)``."""
        return self._name(self.forward_intermediates(image)[-1])

    def features(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c2"]:
        """RGB in [0, 1], ``(b, 3, h, w)``, to what the classifier sees, ``(b, head_dim)``."""
        return self._pooled(self.forward_intermediates(image)[-1])

    def observe(self, image: Float[Tensor, "b 3 h w"]) -> Seen:
        """RGB in [0, 1], ``(b, 3, h, w)``, to all that ``forward`` computes on its way to the logits."""
        features = self.forward_intermediates(image)
        embedding = self._pooled(features[-1])
        return Seen(
            self.classifier(embedding),
            tuple(features),
            embedding,
            side_px=image.shape[-1],
            early=tuple(self._early(features)),
        )

    def all_exits(self, image: Float[Tensor, "b 3 h w"]) -> tuple[Float[Tensor, "b k"], ...]:
        """RGB in [0, 1], ``(b, 3, h, w)``, to the logits of every early exit, shallow ones first, and the last ones."""
        features = self.forward_intermediates(image)
        return (*self._early(features), self._name(features[-1]))

    def look_part(self, given: Float[Tensor, "b _ _ _"], number: int) -> tuple[Tensor, Tensor] | Tensor:
        """A part of the look, which the early exits cut into pieces.

        Args:
            given: the picture, or the map that the part before has returned.
            number: of the part, from 0.

        Returns:
            Logits and map of the exit at its end; of the last part the last logits alone.
        """
        x = given if number else self.stem(given)
        ends = (0, *self.exit_stages, len(self.stages))
        for stage in self.stages[ends[number] : ends[number + 1]]:
            x = stage(x)
        return (self.exits[number](x), x) if number < len(self.exits) else self._name(x)

    def glance(self, image: Float[Tensor, "b 3 h w"]) -> GlanceMaps:
        """RGB in [0, 1], a whole frame, to maps of the hands in it.

        Raises:
            ValueError: the net was built without ``glance_size``.
        """
        return self._find(self.forward_intermediates(image))

    def _name(self, last: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k"]:
        return self.classifier(self._pooled(last))

    def _pooled(self, last: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c2"]:
        return self.head(last).mean(dim=(2, 3), keepdim=True).flatten(1)

    def _early(self, features: list[Float[Tensor, "b _ _ _"]]) -> list[Float[Tensor, "b k"]]:
        return [head(features[stage]) for head, stage in zip(self.exits, self.exit_stages, strict=True)]

    def _find(self, features: list[Float[Tensor, "b _ _ _"]]) -> GlanceMaps:
        if self.glance_head is None:
            raise ValueError(_NO_GLANCE)
        return self.glance_head(features[-3:])

    def programs(self) -> dict[str, Program]:
        """What is exported: ``look``, a crop to logits, and for whole frames ``glance``, a frame to maps.

        ``near`` is the glance at a hand's surroundings. With early exits also the parts of a look that they cut it
        into, ``look_1``, ``look_2`` and so on.
        """
        picture = torch.zeros(1, 3, self.image_size, self.image_size)
        programs = {"look": Program(self, (picture,))}
        for method, size in (("glance", self.glance_size), ("near", self.near_size)):
            if size is not None:
                programs[method] = Program(
                    Glance(_GlanceOf(self)).train(self.training),
                    (torch.zeros(1, 3, size, size),),
                    outputs=("attention", "box", "logits"),
                    traced=(1, 2, 3),
                    finish=Glance,
                )
        if self.exits:
            programs |= {f"look_{number + 1}": self._part(number, picture) for number in range(len(self.exits) + 1)}
        return programs

    def _part(self, number: int, picture: Float[Tensor, "b 3 h w"]) -> Program:
        is_last = number == len(self.exits)
        # of its exit's logits in traced(), where the map follows on them
        place = (1 if self.glance_size is None else 4) + 2 * number
        program = Program(
            _LookPart(self, number).train(self.training),
            (picture,),
            outputs=("logits",) if is_last else ("logits", "map"),
            traced=(0,) if is_last else (place, place + 1),
        )
        if not number:
            return program
        stage = self.exit_stages[number - 1]
        stride = 2 ** (stage + 1)
        side = self.image_size // stride
        example = torch.zeros(1, self.arguments["dims"][stage], side, side)
        return replace(program, example=(example,), given=place - 1, stride=stride)

    def traced(self) -> nn.Module:
        """The net itself, or where it has more to give than logits one module that gives all outputs of a picture."""
        return self if self.glance_head is None and not self.exits else _All(self)

    def on_graph(self, graph: nn.Module) -> nn.Module:
        """The same methods on a quantised graph of ``traced()``."""
        return graph if self.glance_head is None and not self.exits else OnGraph(graph, self.exit_stages)

    def all_outputs(self, image: Float[Tensor, "b 3 h w"]) -> tuple[Tensor, ...]:
        """Logits, the three maps of a net for whole frames, and logits and map of each early exit, of one picture."""
        features = self.forward_intermediates(image)
        found = [self._name(features[-1]), *(self._find(features) if self.glance_head is not None else ())]
        for stage, logits in zip(self.exit_stages, self._early(features), strict=True):
            found += [logits, features[stage]]
        return tuple(found)


def _checked_exits(stages: Sequence[int] | None, num_stages: int) -> tuple[int, ...]:
    found = tuple(stages or ())
    if list(found) != sorted(set(found)) or not set(found) <= set(range(num_stages)):
        raise ValueError(
            f"exit_stages must name maps from 0, the one at 1/2, to {num_stages - 1}, each once and shallow ones "
            f"first, such as [3]; got {stages}"
        )
    return found


def _one_each(name: str, values: Sequence[int] | None, count: int) -> Iterator[int | None]:
    """The values in order, or so many times None."""
    if values is None:
        return iter([None] * count)
    if len(values) != count or min(values, default=1) < 1:
        raise ValueError(f"{name} must hold {count} numbers above 0, one a part in the order they run, got {values}")
    return iter(values)


class Glance(nn.Module):
    """The first look as a program: the attention as a probability.

    Args:
        maps: a picture to the three of ``GlanceMaps``.
    """

    def __init__(self, maps: nn.Module) -> None:
        super().__init__()
        self.maps = maps

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> tuple[Tensor, Tensor, Tensor]:
        """RGB in [0, 1], ``(b, 3, h, w)``, to attention, box and logits at 1/8 of its size."""
        attention, box, logits = self.maps(image)
        return attention.sigmoid(), box, logits


class OnGraph(nn.Module):
    """A quantised graph of ``traced()`` with the methods of the net it came from.

    Args:
        graph: a picture to what ``all_outputs`` gives.
        exit_stages: of the net.
    """

    def __init__(self, graph: nn.Module, exit_stages: Sequence[int] = ()) -> None:
        super().__init__()
        self.graph, self.exit_stages = graph, tuple(exit_stages)

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b k"]:
        """A crop to logits."""
        return self.graph(image)[0]

    def glance(self, image: Float[Tensor, "b 3 h w"]) -> GlanceMaps:
        """A whole frame to maps.

        Raises:
            ValueError: the net was built without ``glance_size``.
        """
        maps = self.graph(image)[1:]
        if len(maps) == 2 * len(self.exit_stages):
            raise ValueError(_NO_GLANCE)
        return GlanceMaps(*maps[:3])

    def all_exits(self, image: Float[Tensor, "b 3 h w"]) -> tuple[Float[Tensor, "b k"], ...]:
        """A crop to the logits of every early exit, shallow ones first, and the last ones."""
        logits, *others = self.graph(image)
        return (*others[len(others) - 2 * len(self.exit_stages) :: 2], logits)


class _GlanceOf(nn.Module):
    def __init__(self, net: GestureNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> GlanceMaps:
        return self.net.glance(image)


class _All(nn.Module):
    def __init__(self, net: GestureNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> tuple[Tensor, ...]:
        return self.net.all_outputs(image)


class _LookPart(nn.Module):
    def __init__(self, net: GestureNet, number: int) -> None:
        super().__init__()
        self.net, self.number = net, number

    def forward(self, given: Float[Tensor, "b _ _ _"]) -> tuple[Tensor, Tensor] | Tensor:
        return self.net.look_part(given, self.number)


@register
def openautoglm_nano(**arguments: Any) -> GestureNet:
    """0.5 M parameters, 19 M MACs at 96 px."""
    sizes: dict[str, Any] = {"dims": (16, 32, 64, 96, 160), "depths": (1, 1, 1), "head_dim": 256}
    return GestureNet(**{**sizes, "glance_dim": 48, **arguments})


@register
def openautoglm_small(**arguments: Any) -> GestureNet:
    """1.1 M parameters, 52 M MACs at 96 px."""
    return GestureNet(**arguments)


@register
def openautoglm_base(**arguments: Any) -> GestureNet:
    """2.5 M parameters, 83 M MACs at 96 px: also a teacher that learns from scratch in minutes on a processor."""
    sizes: dict[str, Any] = {"dims": (32, 64, 112, 192, 384), "depths": (1, 2, 1), "head_dim": 768}
    return GestureNet(**{**sizes, **arguments})


@register
def openautoglm_large(**arguments: Any) -> GestureNet:
    """5.3 M parameters, 178 M MACs at 96 px."""
    sizes: dict[str, Any] = {"dims": (48, 96, 160, 288, 576), "depths": (1, 2, 1), "head_dim": 1024}
    return GestureNet(**{**sizes, **arguments})


@register
def openautoglm_test(**arguments: Any) -> GestureNet:
    """A few thousand parameters: for tests and for trying a pipeline, not for recognising anything."""
    sizes: dict[str, Any] = {"dims": (8, 8, 16, 16, 24), "depths": (1, 1, 0), "expansion": 2, "num_heads": 2, "rank": 4}
    return GestureNet(**{**sizes, "head_dim": 32, **arguments})
