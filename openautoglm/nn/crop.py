"""The attention crop: a map says where the hand is, a box is put round it, the picture is cut there.

``A = sigmoid(conv1x1(x))``; at inference the region ``A >= τ`` has a smallest box; in training the box is read from
the map's moments, so that a loss on the crop reaches the map. The crop is two matrix products, as in spatial
transformers (arXiv 1506.02025) for boxes without rotation, with the kernel widened where the crop shrinks, so that it
does not alias. It is differentiable in the box and runs in every mobile runtime.
"""

from __future__ import annotations

import math

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn


class AttentionMap(nn.Module):
    """Logits of the attention map by a 1x1 convolution.

    Args:
        dim: channels in.
        prior: attention that an untrained map shows everywhere (arXiv 1708.02002, section 4.1).
    """

    def __init__(self, *, dim: int, prior: float = 0.02) -> None:
        super().__init__()
        if not 0 < prior < 1:
            raise ValueError(f"prior must lie between 0 and 1, got {prior}")
        self.conv = nn.Conv2d(dim, 1, 1)
        nn.init.normal_(self.conv.weight, std=0.01)
        nn.init.constant_(self.conv.bias, math.log(prior / (1 - prior)))  # type: ignore[arg-type]

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b 1 h w"]:
        """``(b, dim, h, w)`` to logits ``(b, 1, h, w)``; their sigmoid is the attention."""
        return self.conv(x)


def smallest_box(attention: Float[Tensor, "b 1 h w"], *, threshold: float = 0.5) -> Float[Tensor, "b 4"]:
    """Smallest box round all positions whose attention reaches ``threshold``.

    Args:
        attention: in [0, 1], ``(b, 1, h, w)``.
        threshold: τ.

    Returns:
        x0, y0, x1, y1 as fractions of width and height, ``(b, 4)``; the whole map where nothing reaches it.
    """
    region: Bool[Tensor, "b h w"] = attention[:, 0] >= threshold
    spans = []
    for axis, size in ((1, region.shape[2]), (2, region.shape[1])):
        line = region.any(dim=axis)
        first = line.float().argmax(dim=1)
        last = size - line.flip(1).float().argmax(dim=1)
        spans.append((first / size, last / size))
    (x0, x1), (y0, y1) = spans
    box = torch.stack([x0, y0, x1, y1], dim=1)
    whole = box.new_tensor([0.0, 0.0, 1.0, 1.0])
    return torch.where(region.flatten(1).any(dim=1, keepdim=True), box, whole)


def moment_box(
    attention: Float[Tensor, "b 1 h w"], *, margin: float = 1.0, smallest: float = 0.05
) -> Float[Tensor, "b 4"]:
    """The box of the uniform region that has the map's mean and variance; differentiable.

    Args:
        attention: not negative, ``(b, 1, h, w)``.
        margin: factor of the box's sides.
        smallest: least side, as a fraction of the map's.

    Returns:
        x0, y0, x1, y1 as fractions of width and height, ``(b, 4)``; may reach over the edge.
    """
    mass = attention[:, 0].sum(dim=(1, 2)).clamp(min=1e-6)
    sides = []
    for axis, size in ((1, attention.shape[3]), (2, attention.shape[2])):
        line = attention[:, 0].sum(dim=axis) / mass[:, None]
        position = (torch.arange(size, device=line.device, dtype=line.dtype) + 0.5) / size
        centre = (line * position).sum(dim=1)
        # a uniform region of side a has variance a² / 12; a map of cells is wider by that of one cell
        variance = (line * (position - centre[:, None]).square()).sum(dim=1) + 1 / (12 * size**2)
        half = (margin * (3 * variance).sqrt()).clamp(min=smallest / 2)
        sides.append((centre - half, centre + half))
    (x0, x1), (y0, y1) = sides
    return torch.stack([x0, y0, x1, y1], dim=1)


def crop_resize(
    image: Float[Tensor, "b c h w"], box: Float[Tensor, "b 4"], *, size: int, padding: float = 128 / 255
) -> Float[Tensor, "b c s s"]:
    """Cut a box out and scale it to ``size`` x ``size``: ``Y · image · Xᵀ``, differentiable in image and box.

    Args:
        image: ``(b, c, h, w)``.
        box: x0, y0, x1, y1 as fractions of width and height, ``(b, 4)``.
        size: side of the crop in pixels.
        padding: value of what lies outside of the image.
    """
    _, num_channels, height, width = image.shape
    rows = _sampling(box[:, 1], box[:, 3], size_in=height, size_out=size)
    columns = _sampling(box[:, 0], box[:, 2], size_in=width, size_out=size)
    # three dimensions and no broadcasting: torch.bmm keeps a mobile program in one piece
    rows = rearrange(torch.cat([rows] * num_channels, dim=1), "b (c s) h -> (b c) s h", c=num_channels)
    columns = rearrange(torch.cat([columns] * num_channels, dim=1), "b (c s) w -> (b c) w s", c=num_channels)
    centred = rearrange(image - padding, "b c h w -> (b c) h w")
    crop = torch.bmm(torch.bmm(rows, centred), columns)
    return rearrange(crop, "(b c) y x -> b c y x", c=num_channels) + padding


def _sampling(start: Float[Tensor, b], end: Float[Tensor, b], *, size_in: int, size_out: int) -> Float[Tensor, "b s n"]:
    """Weights of ``size_in`` pixels for each of ``size_out`` positions along one axis; rows sum to 1 inside."""
    low, extent = start * size_in, (end - start) * size_in
    steps = (torch.arange(size_out, device=start.device, dtype=start.dtype) + 0.5) / size_out
    position = low[:, None] + extent[:, None] * steps
    reach = (extent / size_out).clamp(min=1.0)[:, None, None]
    pixel = torch.arange(size_in, device=start.device, dtype=start.dtype) + 0.5
    weight = torch.relu(1 - (position[:, :, None] - pixel).abs() / reach)
    return weight / reach
