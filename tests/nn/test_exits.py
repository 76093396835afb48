"""An exit: a value worked out by hand; shape, gradient and export are tested with the other parts."""

from __future__ import annotations

import torch
from torch import nn

from openautoglm.nn import ExitHead


def test_mean_over_positions_by_hand():
    head = ExitHead(dim_in=1, dim=1, num_classes=2).eval()
    nn.init.constant_(head.mix[0].weight, 2.0)
    head.mix[1].eps = 0.0
    head.classifier.weight.data = torch.tensor([[1.0], [-3.0]])
    head.classifier.bias.data = torch.tensor([0.5, 0.0])
    # 2 x of each position, those below 0 cut off: 2, 6, 0, 0, mean 2
    x = torch.tensor([[1.0, 3.0], [-5.0, 0.0]]).reshape(1, 1, 2, 2)
    assert head(x).tolist() == [[2.5, -6.0]]
