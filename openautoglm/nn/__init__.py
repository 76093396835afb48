"""Parts: nn.Modules that survive quantization-aware training and export to the three runtimes."""

from openautoglm.nn.attention import Everywhere, LowRankAttention, Reach
from openautoglm.nn.block import Residual, TransformerBlock
from openautoglm.nn.block_sparse import SparseBlocks
from openautoglm.nn.conv import ConvNorm
from openautoglm.nn.exits import ExitHead
from openautoglm.nn.feedforward import DepthwiseFeedForward
from openautoglm.nn.local_attention import Windows
from openautoglm.nn.lowrank import LowRankProjection, factorize
from openautoglm.nn.share import SharedBlock
from openautoglm.nn.stem import Stem

__all__ = [
    "ConvNorm",
    "DepthwiseFeedForward",
    "Everywhere",
    "ExitHead",
    "LowRankAttention",
    "LowRankProjection",
    "Reach",
    "Residual",
    "SharedBlock",
    "SparseBlocks",
    "Stem",
    "TransformerBlock",
    "Windows",
    "factorize",
]
