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
        bf16: run it in bfloat16 where the device computes in it; elsewhere it stays float, which is faster there.
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
        half = self.bf16 and computes_in_bf16(device.type)
        with torch.no_grad(), torch.autocast(device.type, dtype=torch.bfloat16, enabled=half):
            return question(self.net.to(device).eval())


def computes_in_bf16(device: str) -> bool:
    """Whether bfloat16 is faster on such a device: a processor without instructions for it takes ten times as long."""
    if device != "cpu":
        return True
    has = torch.cpu.get_capabilities()
    return any(has.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))
