"""Parts: nn.Modules that survive quantization-aware training and export to the three runtimes."""

from openautoglm.nn.attention import LowRankAttention
from openautoglm.nn.block import Residual, TransformerBlock
from openautoglm.nn.conv import ConvNorm
from openautoglm.nn.feedforward import DepthwiseFeedForward
from openautoglm.nn.stem import Stem

__all__ = ["ConvNorm", "DepthwiseFeedForward", "LowRankAttention", "Residual", "Stem", "TransformerBlock"]
