"""INT8 quantization-aware training by PT2E: prepare, train inside Lightning, convert for every runtime.

The quantizer is handed in: the target owns it. One prepared graph serves all targets, which differ only in whether
the integer weights are folded into constants (``fold_quantize``).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.fx import GraphModule

from openautoglm.compress import graph as surgery
from openautoglm.compress.grid import quiet_torch
from openautoglm.compress.inline import inline_autocast
from openautoglm.compress.parts import take_part
from openautoglm.compress.patterns import remembered_patterns
from openautoglm.models import Program

BatchNormMode = Literal["train", "fold"]


class QATModel(nn.Module):
    """A float model whose graph rounds weights and activations to INT8 while it learns.

    In training mode the ranges of activations and weights are observed and BatchNorm uses the batch; in evaluation
    nothing moves. ``freeze`` stops both for good, also through train(), eval() and a saved state. The mode is applied
    when ``forward`` runs, because Lightning sets ``training`` without calling ``train()``. Gradients flow either way.

    Args:
        graph: result of ``prepare_qat_pt2e``, or one with fixed scales.
        frozen: start frozen.
    """

    frozen: Tensor

    def __init__(self, graph: GraphModule, *, frozen: bool = False) -> None:
        super().__init__()
        self.graph = surgery.unlock(graph)
        self.register_buffer("frozen", torch.tensor(frozen))
        self._applied: bool | None = None
        self.register_load_state_dict_post_hook(_forget_mode)  # type: ignore[no-untyped-call]

    def forward(self, image: Tensor) -> Any:
        """RGB in [0, 1], ``(b, 3, h, w)``, to what the float model returned: logits ``(b, k)``, or several tensors."""
        if self._applied != self.training:
            self._apply_mode()
        return self.graph(image)

    def freeze(self) -> None:
        """Stop observers and BatchNorm statistics; weights can still learn."""
        self.frozen.fill_(True)
        self._applied = None

    @property
    def is_frozen(self) -> bool:
        """Whether ``freeze`` was called, here or before the state was saved."""
        return bool(self.frozen)

    def _apply_mode(self) -> None:
        learning = self.training and not self.is_frozen
        surgery.set_training(self.graph, learning)
        surgery.set_dropout(self.graph, self.training)
        quantizers = [module for _, module in surgery.quantizer_nodes(self.graph)]
        # Before the first step there are no ranges yet: evaluation then computes in float.
        rounding = self.training or all(surgery.has_range(module) for module in quantizers)
        for module in quantizers:
            module.enable_fake_quant(rounding)
            module.enable_observer(learning)
        self._applied = self.training


def prepare_qat(
    model: nn.Module,
    example: Tensor,
    quantizer: Any,
    *,
    dynamic_size: bool = False,
    batch_norm: BatchNormMode = "train",
) -> QATModel:
    """Copy a float model into a graph that learns under quantization.

    Args:
        model: called with images, returns a tensor or a tuple of them; not changed.
        example: images of the size to train on, ``(b, 3, h, w)``.
        quantizer: the target's, from ``Backend.quantizer()``.
        dynamic_size: leave height and width open as well as the batch.
        batch_norm: ``"train"`` keeps BatchNorm and its statistics; ``"fold"`` moves the running statistics into the
            weights before training, which makes a step 1.6 to 2 times faster and fixes the statistics from the start.
    """
    from torchao.quantization.pt2e.quantize_pt2e import prepare_qat_pt2e

    if batch_norm not in ("train", "fold"):
        raise ValueError(f"batch_norm must be 'train' or 'fold', got {batch_norm!r}")
    with quiet_torch(), remembered_patterns():
        graph = trace(model, example, dynamic_size=dynamic_size, batch_norm=batch_norm)
        settings = surgery.batch_norm_settings(graph)
        graph = prepare_qat_pt2e(graph, quantizer)
    surgery.restore_batch_norm_settings(graph, settings)
    surgery.follow_weights(graph)
    surgery.fix_picture(graph)
    return QATModel(graph)


def trace(
    model: nn.Module, example: Tensor, *, dynamic_size: bool = False, batch_norm: BatchNormMode = "fold"
) -> GraphModule:
    """Copy a float model into a graph in which every convolution has its own weight; arguments as ``prepare_qat``."""
    source = copy.deepcopy(model).train(batch_norm == "train")
    _keep_batch_norms_alive(source)
    _write_nothing_in_place(source)
    images = example if example.shape[0] > 1 else example.repeat(2, 1, 1, 1)
    shape = {0: torch.export.Dim("batch", min=2)}
    if dynamic_size:
        shape |= {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}
    with quiet_torch():
        graph = surgery.unlock(torch.export.export(source, (images,), dynamic_shapes=(shape,)).module())
    surgery.part_shared_weights(graph)
    if batch_norm == "fold":
        surgery.fold_batch_norms(graph)
    return graph


def _write_nothing_in_place(model: nn.Module) -> None:
    """To a graph an in-place ReLU is a side effect, which stays when nothing reads it: a glance in every look."""
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False


def _keep_batch_norms_alive(model: nn.Module, *, smallest: float = 1e-6) -> None:
    """Under QAT a convolution is multiplied and divided by its BatchNorm's weight, which must not be zero."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.affine:
            with torch.no_grad():
                module.weight.masked_fill_(module.weight.abs() < smallest, smallest)


def convert(qat: QATModel, *, fold_quantize: bool = True) -> GraphModule:
    """The integer program's graph, in evaluation mode; ``qat`` keeps learning undisturbed.

    Args:
        qat: trained or loaded model.
        fold_quantize: weights as int8 constants; otherwise float weights followed by their rounding.
    """
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e

    with quiet_torch():
        graph = surgery.unlock(convert_pt2e(settle(qat), fold_quantize=fold_quantize))
    return surgery.seal(graph)


def convert_programs(
    qat: QATModel, programs: Mapping[str, Program], *, fold_quantize: bool = True
) -> dict[str, nn.Module]:
    """The integer program of each method, made of one graph, so that a file holds their weights once.

    Args:
        qat: trained or loaded model, of ``model.traced()``.
        programs: of the model.
        fold_quantize: see ``convert``.
    """
    return programs_of(convert(qat, fold_quantize=fold_quantize), programs)


def programs_of(graph: GraphModule, programs: Mapping[str, Program]) -> dict[str, nn.Module]:
    """The part of a quantised graph that each method needs, as its program."""
    if len(programs) == 1:
        return {name: program.of(graph) for name, program in programs.items()}
    return {
        name: program.of(take_part(graph, program.traced, given=program.given, stride=program.stride))
        for name, program in programs.items()
    }


def settle(qat: QATModel) -> GraphModule:
    """A copy of the graph, on the CPU, with BatchNorm folded and every scale as training last used it."""
    graph = copy.deepcopy(qat.graph).cpu()
    surgery.set_training(graph, False)
    surgery.set_dropout(graph, False)
    inline_autocast(graph)
    surgery.fold_batch_norms(graph)
    surgery.fix_scales(graph)
    return graph


def _forget_mode(module: nn.Module, _: object) -> None:
    assert isinstance(module, QATModel)
    module._applied = None
