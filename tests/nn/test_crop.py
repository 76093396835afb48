"""The attention crop: boxes from maps, crops against Pillow, gradients that reach the map, export."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from openautoglm.nn.crop import AttentionMap, crop_resize, moment_box, smallest_box


def region(left: int, top: int, right: int, bottom: int, *, size: int = 10) -> torch.Tensor:
    attention = torch.zeros(1, 1, size, size)
    attention[..., top:bottom, left:right] = 1.0
    return attention


def test_both_boxes_of_a_uniform_region_are_its_own():
    attention = region(3, 2, 9, 6)
    expected = torch.tensor([[0.3, 0.2, 0.9, 0.6]])
    assert torch.allclose(smallest_box(attention), expected)
    assert torch.allclose(moment_box(attention), expected, atol=1e-6)


def test_threshold_decides():
    attention = 0.4 * region(0, 0, 10, 10) + 0.4 * region(4, 4, 6, 6)
    assert torch.allclose(smallest_box(attention, threshold=0.5), torch.tensor([[0.4, 0.4, 0.6, 0.6]]))
    assert torch.allclose(smallest_box(attention, threshold=0.3), torch.tensor([[0.0, 0.0, 1.0, 1.0]]))


def test_without_a_region_the_box_is_the_whole_picture():
    assert torch.equal(smallest_box(torch.zeros(2, 1, 4, 6)), torch.tensor([[0.0, 0.0, 1.0, 1.0]] * 2))


def test_moment_box_has_a_margin_and_a_smallest_side():
    wide = moment_box(region(4, 4, 6, 6), margin=2.0)
    assert torch.allclose(wide, torch.tensor([[0.3, 0.3, 0.7, 0.7]]), atol=1e-6)
    small = moment_box(region(4, 4, 5, 5), smallest=0.5)
    assert torch.allclose(small, torch.tensor([[0.2, 0.2, 0.7, 0.7]]), atol=1e-6)


@pytest.mark.parametrize(("box", "size"), [((0.1, 0.2, 0.9, 0.8), 24), ((0.25, 0.25, 0.5, 0.5), 40)])
def test_crop_is_pillows(box, size):
    """Smaller and larger than the region: the filter widens as Pillow's does."""
    torch.manual_seed(0)
    image = torch.rand(1, 3, 60, 80)
    crop = crop_resize(image, torch.tensor([box]), size=size)
    where = (80 * box[0], 60 * box[1], 80 * box[2], 60 * box[3])
    for channel in range(3):
        plane = Image.fromarray(image[0, channel].numpy())
        expected = np.asarray(plane.resize((size, size), Image.Resampling.BILINEAR, box=where))
        assert np.abs(crop[0, channel].numpy() - expected).max() < 0.01


def test_crop_of_each_picture_by_its_own_box():
    image = torch.rand(3, 2, 8, 8)
    boxes = torch.tensor([[0.0, 0.0, 0.5, 0.5], [0.5, 0.0, 1.0, 0.5], [0.0, 0.5, 0.5, 1.0]])
    crop = crop_resize(image, boxes, size=4)
    assert torch.allclose(crop[0], image[0, :, :4, :4], atol=1e-6)
    assert torch.allclose(crop[1], image[1, :, :4, 4:], atol=1e-6)
    assert torch.allclose(crop[2], image[2, :, 4:, :4], atol=1e-6)


def test_outside_of_the_picture_is_padding():
    crop = crop_resize(torch.ones(1, 1, 4, 4), torch.tensor([[1.5, 0.0, 2.5, 1.0]]), size=4, padding=0.25)
    assert torch.equal(crop, torch.full((1, 1, 4, 4), 0.25))


def test_a_loss_on_the_crop_moves_the_attention_to_the_bright_spot():
    """Without any box as a label: what makes the crop bright is learnt."""
    image = torch.zeros(1, 1, 32, 32)
    image[..., 20:26, 4:10] = 1.0
    logits = torch.zeros(1, 1, 8, 8, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.2)
    found = []
    for _ in range(150):
        crop = crop_resize(image, moment_box(logits.sigmoid()), size=8, padding=0.0)
        loss = -crop.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        found.append(crop.mean().item())
    x0, y0, x1, y1 = (32 * moment_box(logits.detach().sigmoid())[0]).tolist()
    assert abs((x0 + x1) / 2 - 7) < 2.5
    assert abs((y0 + y1) / 2 - 23) < 2.5
    assert found[-1] > 5 * found[0]


def test_attention_map_starts_at_its_prior():
    part = AttentionMap(dim=16, prior=0.1)
    nn.init.zeros_(part.conv.weight)
    assert torch.allclose(part(torch.rand(1, 16, 3, 3)).sigmoid(), torch.tensor(0.1))
    assert part(torch.rand(2, 16, 3, 5)).shape == (2, 1, 3, 5)
    with pytest.raises(ValueError, match="prior must lie between 0 and 1, got 1"):
        AttentionMap(dim=4, prior=1.0)


def test_attention_map_by_hand():
    part = AttentionMap(dim=2)
    with torch.no_grad():
        part.conv.weight.copy_(torch.tensor([1.0, -2.0]).reshape(1, 2, 1, 1))
        part.conv.bias.fill_(0.5)
    x = torch.tensor([3.0, 1.0]).reshape(1, 2, 1, 1)
    assert part(x).item() == 1.5
    assert math.isclose(part(x).sigmoid().item(), 1 / (1 + math.exp(-1.5)), rel_tol=1e-6)


class Crop(nn.Module):
    def forward(self, image, box):
        return crop_resize(image, box, size=6)


def test_exports_to_executorch(tmp_path):
    pytest.importorskip("executorch")
    from executorch.runtime import Runtime

    from openautoglm.export.backend import ExportedInput, get_backend

    example = (torch.rand(1, 3, 16, 16), torch.tensor([[0.1, 0.2, 0.8, 0.9]]))
    path, backend = tmp_path / "part.pte", get_backend("executorch")
    backend.export({"look": ExportedInput(Crop().eval(), example)}, path, quantized=False)
    method = Runtime.get().load_program(path).load_method("look")
    assert torch.allclose(method.execute(list(example))[0], crop_resize(*example, size=6), atol=1e-5)
