"""What a notebook uses: ``AutoModel`` loads and saves, ``Quantizer`` makes small."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from openautoglm.artifacts import (
    QuantizedModel,
    build_model,
    config_of,
    dynamic_model,
    load_model,
    quantized_model,
    save_model,
    weight_model,
    with_config,
)
from openautoglm.models import traced_part
from openautoglm.tensors import Batch
from openautoglm.types import Artifact
from openautoglm.zoo import hub, store

if TYPE_CHECKING:
    from openautoglm.compress.calibrate import RangeMethod
    from openautoglm.compress.pt2e import QATModel
    from openautoglm.compress.sensitivity import LayerSensitivity


class AutoModel:
    """Loads a model by name."""

    @staticmethod
    def from_pretrained(name_or_folder: str | Path) -> nn.Module:
        """The model of a released name, a folder or the Hugging Face Hub; its checksums are verified first.

        Args:
            name_or_folder: such as ``"openautoglm-small"``, ``"runs/distill_int8/2026-11-22_12-00-00"`` or
                ``"hf://owner/name"``.

        Returns:
            A module in evaluation mode: RGB in [0, 1], ``(b, 3, h, w)``, to logits ``(b, k)``.

        Raises:
            ValueError: there is no such artifact, or a file of it is corrupt.
        """
        return load_model(store.find(name_or_folder))

    @staticmethod
    def push_to_hub(name_or_folder: str | Path, address: str, *, private: bool = False) -> str:
        """Put an artifact, the one of a run included, on the Hugging Face Hub; returns its page.

        Args:
            name_or_folder: as for ``from_pretrained``; its checksums are verified first.
            address: ``"hf://owner/name"``.
            private: of a repository that does not exist yet.

        Raises:
            ValueError: there is no such artifact, or the account of ``hf auth login`` may not write there.
        """
        return hub.push(store.find(name_or_folder).folder, address, private=private)

    @staticmethod
    def save_pretrained(model: nn.Module, folder: str | Path) -> Artifact:
        """Write a model of ``from_pretrained`` or of ``Quantizer`` as an artifact, to be loaded or pushed.

        Raises:
            ValueError: the model was built by hand, so nothing says how to build it again.
        """
        if isinstance(model, QuantizedModel):
            return model.save(folder)
        config = config_of(model)
        if config is None:
            raise ValueError(
                "this model has no config.json, which says how to build it again: save one of AutoModel.from_pretrained"
            )
        return save_model(model, Path(folder), config=config, facts={"name": config["architecture"]})


Calibration = Iterable[Tensor | Batch | Sequence[Any]]
"""Batches: RGB in [0, 1], ``(b, 3, h, w)``, alone, in a ``Batch``, or first in what a data loader yields."""


class Quantizer:
    """Makes a float model small; the model itself is not changed.

    What comes back predicts, is saved by ``.save(folder)`` and loaded by ``AutoModel.from_pretrained``.
    """

    def dynamic_quantize(
        self, model: nn.Module, *, dtype: str = "int8", example: Tensor | None = None
    ) -> QuantizedModel:
        """INT8 weights; the range of each activation is taken anew from every picture, so no data is needed.

        Args:
            model: float model.
            dtype: ``"int8"``.
            example: pictures of the size to come, ``(b, 3, h, w)``, for a model that does not know it.

        Raises:
            ValueError: the model is quantised already, or the dtype is another.
        """
        from openautoglm.compress.dynamic import dynamic_state

        _check(model, dtype, ("int8",), "dynamic_quantize")
        state = dynamic_state(traced_part(model), _example(model, example), dynamic_size=_finds_hands(model))
        return dynamic_model(model, *state)

    def static_quantize(
        self,
        model: nn.Module,
        *,
        calibration: Calibration,
        dtype: str = "int8",
        ranges: RangeMethod = "moving_average",
        float_layers: int | Sequence[str] = 0,
    ) -> QuantizedModel:
        """INT8 weights and activations, the ranges of these from pictures (post-training quantization).

        Args:
            model: float model.
            calibration: batches of some hundred pictures like those to come.
            dtype: ``"int8"``.
            ranges: ``"moving_average"``, ``"minmax"`` or ``"percentile"``, see ``compress.calibrate``.
            float_layers: layers whose weights stay float: their names, or how many of the most sensitive.

        Raises:
            ValueError: the model is quantised already, the dtype is another, or there are no pictures.
        """
        from openautoglm.compress.sensitivity import leave_in_float

        batches = list(calibration)
        qat = self.calibrate(model, calibration=batches, dtype=dtype, ranges=ranges)
        if isinstance(float_layers, int):
            float_layers = _most_sensitive(qat, _images(batches), float_layers)
        return quantized_model(leave_in_float(qat, float_layers) if float_layers else qat, model)

    def sensitivity(
        self, model: nn.Module, *, calibration: Calibration, ranges: RangeMethod = "moving_average"
    ) -> tuple[LayerSensitivity, ...]:
        """What INT8 does to the outputs when it touches one layer only, the worst first; as ``static_quantize``."""
        from openautoglm.compress.sensitivity import rank_layers

        batches = list(calibration)
        return rank_layers(self.calibrate(model, calibration=batches, ranges=ranges), _images(batches))

    def quantize_weights(self, model: nn.Module, *, dtype: str = "int4", group_size: int = 32) -> QuantizedModel:
        """Weights in four or eight bits with one scale a group; it computes in float.

        Args:
            model: float model.
            dtype: ``"int4"`` for linear layers and 1x1 convolutions, larger kernels in int8; or ``"int8"`` for all.
            group_size: inputs of an output that share a scale.

        Raises:
            ValueError: the model is quantised already, has no such layer, or the dtype is another.
        """
        from openautoglm.compress.weight_only import round_weights

        _check(model, dtype, ("int4", "int8"), "quantize_weights")
        return weight_model(model, *round_weights(model, bits=int(dtype.removeprefix("int")), group_size=group_size))

    def prepare_qat(
        self, model: nn.Module, *, dtype: str = "int8", example: Tensor | None = None,
        batch_norm: Literal["train", "fold"] = "fold",
    ) -> QATModel:  # fmt: skip
        """A copy that rounds while it learns, to be trained as any module and given to ``convert``.

        Args:
            model: float model.
            dtype: ``"int8"``.
            example: pictures of the size to come, ``(b, 3, h, w)``, for a model that does not know it.
            batch_norm: ``"fold"`` fixes BatchNorm's statistics, which is faster; ``"train"`` adapts them.
        """
        _check(model, dtype, ("int8",), "prepare_qat")
        qat = _prepared(model, _example(model, example), batch_norm)
        with_config(qat, config_of(model))
        return qat

    def calibrate(
        self,
        model: nn.Module,
        *,
        calibration: Calibration,
        dtype: str = "int8",
        ranges: RangeMethod = "moving_average",
    ) -> QATModel:
        """What ``static_quantize`` gives to ``convert``: a copy that rounds, its ranges taken from pictures.

        Arguments and errors as those of ``static_quantize``.
        """
        from openautoglm.compress.calibrate import calibrate

        _check(model, dtype, ("int8",), "static_quantize")
        images = _images(calibration)
        if not images:
            raise ValueError("calibration holds no pictures: give batches of RGB in [0, 1], of shape (b, 3, h, w)")
        qat = calibrate(_prepared(model, images[0]), images, ranges=ranges)
        with_config(qat, config_of(model))
        return qat

    def convert(self, qat: QATModel) -> QuantizedModel:
        """The integer model of a trained one, as it stands; ``qat`` can learn on."""
        config = config_of(qat)
        return quantized_model(qat, qat if config is None else build_model(config))


def _prepared(model: nn.Module, example: Tensor, batch_norm: Literal["train", "fold"] = "fold") -> QATModel:
    from openautoglm.compress.pt2e import prepare_qat
    from openautoglm.export.backend import get_backend

    quantizer = get_backend("executorch").quantizer()
    return prepare_qat(traced_part(model), example, quantizer, dynamic_size=_finds_hands(model), batch_norm=batch_norm)


def _example(model: nn.Module, given: Tensor | None) -> Tensor:
    """Pictures of the size that the model is made for."""
    if given is not None:
        return given
    size = (config_of(model) or {}).get("image_size") or getattr(model, "image_size", None)
    if not isinstance(size, int):
        raise ValueError("this model does not know the size of its pictures: give example=torch.zeros(1, 3, h, w)")
    return torch.zeros(2, 3, size, size)


def _finds_hands(model: nn.Module) -> bool:
    """Whether it sees whole frames and crops, so that pictures have two sizes."""
    return getattr(model, "glance_size", None) is not None


def _images(calibration: Calibration) -> list[Tensor]:
    return [_pictures(batch) for batch in calibration]


def _pictures(batch: Tensor | Batch | Sequence[Any]) -> Tensor:
    image = batch.image if isinstance(batch, Batch) else batch if isinstance(batch, Tensor) else batch[0]
    if not isinstance(image, Tensor) or image.dim() != 4 or not image.is_floating_point():
        found = f"{image.dtype} {tuple(image.shape)}" if isinstance(image, Tensor) else type(image).__name__
        raise ValueError(f"calibration wants float pictures in [0, 1] of shape (b, 3, h, w), got {found}")
    return image


def _most_sensitive(qat: QATModel, images: list[Tensor], num_layers: int) -> list[str]:
    from openautoglm.compress.sensitivity import rank_layers

    if num_layers < 0:
        raise ValueError(f"float_layers must be a number from 0 or names of layers, got {num_layers}")
    return [row.layer for row in rank_layers(qat, images)[:num_layers]] if num_layers else []


_POSSIBLE = "int8 by dynamic_quantize, static_quantize and prepare_qat, int4 or int8 weights by quantize_weights"


def _check(model: nn.Module, dtype: str, dtypes: Sequence[str], method: str) -> None:
    """Refuse what cannot be done, and say what can."""
    from openautoglm.compress.pt2e import QATModel

    if isinstance(model, QuantizedModel | QATModel):
        raise ValueError(f"{method} wants a float model, got one that is quantised already: load the float original")
    if dtype not in dtypes:
        raise ValueError(f"{method} makes {' or '.join(dtypes)}, got dtype={dtype!r}; possible are {_POSSIBLE}")
