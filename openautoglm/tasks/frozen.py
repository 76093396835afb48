"""A teacher: a net that answers and does not learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

Answer = TypeVar("Answer")


class Frozen:
    """Stays in evaluation mode, without gradient, and outside the student's parameters and checkpoint.

    Args:
        net: goes to where the pictures are.
        bf16: run it in bfloat16: two to three times faster where the processor has it.
    """

    def __init__(self, net: nn.Module, *, bf16: bool = False) -> None:
        self.net, self.bf16 = net.eval().requires_grad_(False), bf16

    def ask(self, question: Callable[[Any], Answer], image: Tensor) -> Answer:
        """What a question to the net comes to.

        Args:
            question: called with the net.
            image: that it is asked about, for its device.
        """
        device = image.device
        with torch.no_grad(), torch.autocast(device.type, dtype=torch.bfloat16, enabled=self.bf16):
            return question(self.net.to(device).eval())
