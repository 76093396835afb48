"""Local attention: positions see each other inside windows that do not overlap.

"Swin Transformer: Hierarchical Vision Transformer using Shifted Windows", arXiv 2103.14030. What differs: windows are
not shifted, because the depthwise convolution of the feed-forward already carries what one window knows to the next;
without shift there is no mask, which would cost an INT8 program its resolution (a large negative number and the
scores would share one scale). For the same reason nothing is padded: sides must be multiples of the window.
"""

from __future__ import annotations

from dataclasses import dataclass

from einops import rearrange
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Windows:
    """A reach: a map is cut into squares, each attends within itself; time and memory grow with n · window².

    Attributes:
        window: side of a window in positions.
    """

    window: int

    def __post_init__(self) -> None:
        if self.window < 1:
            raise ValueError(f"a window must be at least 1 position wide, got {self.window}")

    def queries(self, x: Float[Tensor, "b c h w"], num_heads: int) -> Float[Tensor, "b2 n r"]:
        """``(b, heads * r, h, w)`` to ``(b * heads * windows, window², r)``."""
        side = self.window
        return rearrange(split_heads(x, num_heads, side), "b r (i p) (j q) -> (b i j) (p q) r", p=side, q=side)

    def keys(self, x: Float[Tensor, "b c h w"], num_heads: int) -> Float[Tensor, "b2 r n2"]:
        """``(b, heads * r, h, w)`` to ``(b * heads * windows, r, window²)``."""
        side = self.window
        return rearrange(split_heads(x, num_heads, side), "b r (i p) (j q) -> (b i j) r (p q)", p=side, q=side)

    def values(self, x: Float[Tensor, "b c2 h w"], num_heads: int) -> Float[Tensor, "b2 n2 r2"]:
        """``(b, heads * r2, h, w)`` to ``(b * heads * windows, window², r2)``."""
        return self.queries(x, num_heads)

    def join(
        self, tokens: Float[Tensor, "b2 n r2"], like: Float[Tensor, "b d h w"], num_heads: int
    ) -> Float[Tensor, "b c2 h w"]:
        """``(b * heads * windows, window², r2)`` to ``(b, heads * r2, h, w)``."""
        side, (height, width) = self.window, like.shape[2:]
        rows, columns = height // side, width // side
        maps = rearrange(tokens, "(b i j) (p q) v -> b v (i p) (j q)", i=rows, j=columns, p=side, q=side)
        return rearrange(maps, "(b m) v h w -> b (m v) h w", m=num_heads)

    def num_seen(self, height: int, width: int) -> int:
        """Those of its window, whatever the size of the map."""
        check_sides(height, width, self.window)
        return self.window**2


def split_heads(x: Float[Tensor, "b c h w"], num_heads: int, side: int) -> Float[Tensor, "b2 r h w"]:
    """``(b, heads * r, h, w)`` to ``(b * heads, r, h, w)``, whose sides are multiples of ``side``.

    A step of its own: with heads still apart, cutting would need seven axes, and XNNPACK has six.
    """
    check_sides(x.shape[2], x.shape[3], side)
    return rearrange(x, "b (m r) h w -> (b m) r h w", m=num_heads)


def check_sides(height: int, width: int, side: int) -> None:
    """Refuse a map that cannot be cut into squares of ``side``."""
    if height % side or width % side:
        raise ValueError(
            f"a map of {height} x {width} cannot be cut into squares of {side} x {side}: "
            f"choose an image size that makes both sides multiples of {side}, or another square"
        )
