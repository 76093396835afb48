"""A model as an artifact and back, float or quantised."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from openautoglm.models import EarlyExits, Exportable, TeacherMean, TimmClassifier, create_model, on_graph, traced_part
from openautoglm.types import Artifact
from openautoglm.zoo import store

if TYPE_CHECKING:
    from openautoglm.compress.pt2e import QATModel

_CONFIG = "artifact_config"
TIMM = "timm/"
"""Prefix of a teacher's architecture in config.json."""
MEAN = "mean"
"""Architecture of several teachers that answer as one."""


def model_config(
    architecture: str, arguments: dict[str, Any], *, classes: tuple[str, ...], image_size: int
) -> dict[str, Any]:
    """Content of config.json: all that is needed to build the net again, as plain data."""
    return {
        "architecture": architecture,
        "arguments": arguments,
        "classes": list(classes),
        "image_size": image_size,
        "task": "classify",
    }


def build_model(config: dict[str, Any]) -> nn.Module:
    """The net of a config.json, with fresh weights.

    Raises:
        ValueError: the config is incomplete or names an unknown architecture.
    """
    missing = {"architecture", "arguments", "classes"} - config.keys()
    if missing:
        raise ValueError(f"config.json lacks {', '.join(sorted(missing))}")
    architecture, arguments = config["architecture"], config["arguments"]
    if architecture == MEAN:
        model: nn.Module = TeacherMean(members=[build_model(member) for member in arguments["members"]])
    elif architecture.startswith(TIMM):
        model = TimmClassifier(architecture=architecture.removeprefix(TIMM), **arguments)
    else:
        model = create_model(architecture, **arguments)
    return with_config(model, config)


def with_config(model: nn.Module, config: dict[str, Any] | None) -> nn.Module:
    """The model, which from now on knows the config.json it belongs to."""
    model.__dict__[_CONFIG] = config
    return model


def config_of(model: nn.Module) -> dict[str, Any] | None:
    """The config.json that a model belongs to; None for one that was built by hand."""
    config: dict[str, Any] | None = model.__dict__.get(_CONFIG)
    return config


class QuantizedModel(nn.Module):
    """A model that computes with integers, or in float with the weights that integers stand for.

    Args:
        looks: what computes it: ``forward``, and ``glance`` for whole frames.
        tensors: integers, scales and what stays float, for safetensors.
        spec: content of quantization.json.
        config: content of config.json; None for a model that was built by hand, which cannot be saved.
    """

    def __init__(
        self, looks: nn.Module, *, tensors: dict[str, Tensor], spec: dict[str, Any], config: dict[str, Any] | None
    ) -> None:
        super().__init__()
        self.looks, self.tensors, self.spec = looks, tensors, spec
        with_config(self, config)

    @property
    def scheme(self) -> str:
        """``"int8"``, ``"int8_dynamic"`` or ``"weights"``."""
        return str(self.spec["scheme"])

    @property
    def size_kb(self) -> float:
        """What the tensors take on the disk."""
        return sum(tensor.nbytes for tensor in self.tensors.values()) / 1e3

    def forward(self, image: Tensor) -> Tensor:
        """RGB in [0, 1], ``(b, 3, h, w)``, to logits ``(b, k)``."""
        logits: Tensor = self.looks(image)
        return logits

    def glance(self, image: Tensor) -> Any:
        """RGB in [0, 1], a whole frame, to the maps of the float model's ``glance``."""
        find: Any = getattr(self.looks, "glance", None)
        if find is None:
            raise ValueError("this net names crops only; a net for whole frames has a glance_size")
        return find(image)

    def all_exits(self, image: Tensor) -> tuple[Tensor, ...]:
        """RGB in [0, 1], ``(b, 3, h, w)``, to the logits of every early exit, shallow ones first, and the last ones."""
        if not isinstance(self.looks, EarlyExits):
            return (self(image),)
        return self.looks.all_exits(image)

    def save(self, folder: str | Path) -> Artifact:
        """Write an artifact; ``AutoModel.from_pretrained(folder)`` computes the same, bit for bit.

        Raises:
            ValueError: the model was built by hand, so nothing says how to build it again.
        """
        config = config_of(self)
        if config is None:
            raise ValueError(
                "this model has no config.json: quantise one of AutoModel.from_pretrained, or one of build_model"
            )
        facts = {"name": f"{config['architecture']} {self.scheme}", "stage": "quantize"}
        return save_tensors(self.tensors, Path(folder), config=config, quantization=self.spec, facts=facts)


def quantized_model(qat: QATModel, model: nn.Module) -> QuantizedModel:
    """The integer model of a calibrated or trained graph.

    Args:
        qat: its ranges are known.
        model: the float model it was prepared from; it says what is made of several outputs.
    """
    from openautoglm.compress.pt2e import convert
    from openautoglm.compress.state import quantized_state

    tensors, spec = quantized_state(qat)
    looks = on_graph(model, convert(qat))
    return QuantizedModel(looks, tensors=tensors, spec=spec, config=config_of(model))


def save_model(
    model: nn.Module, folder: Path, *, config: dict[str, Any], facts: dict[str, Any] | None = None
) -> Artifact:
    """Write a float model as an artifact.

    Args:
        model: built from ``config``.
        folder: made if missing.
        config: from ``model_config``.
        facts: how the model came about, for the manifest.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    return save_tensors(tensors, folder, config=config, facts=facts)


def save_tensors(
    tensors: dict[str, Tensor],
    folder: Path,
    *,
    config: dict[str, Any],
    quantization: dict[str, Any] | None = None,
    facts: dict[str, Any] | None = None,
) -> Artifact:
    """Write an artifact from tensors; with ``quantization`` they are a quantised model's integers and scales."""

    def write(fresh: Path) -> None:
        store.write_json(fresh / "config.json", config)
        if quantization is not None:
            store.write_json(fresh / "quantization.json", quantization)
        save_file(tensors, fresh / "model.safetensors")

    return store.build(folder, write, facts or {})


def dynamic_model(model: nn.Module, tensors: dict[str, Tensor], spec: dict[str, Any]) -> QuantizedModel:
    """The integer model of ``compress.dynamic``; of ``model`` only the architecture counts."""
    from openautoglm.compress.dynamic import OneByOne, dynamic_graph

    looks = on_graph(model, OneByOne(dynamic_graph(traced_part(model), tensors, spec)))
    return QuantizedModel(looks, tensors=tensors, spec=spec, config=config_of(model))


def weight_model(model: nn.Module, tensors: dict[str, Tensor], spec: dict[str, Any]) -> QuantizedModel:
    """The model of ``compress.weight_only``; of ``model`` only the architecture counts."""
    from openautoglm.compress.weight_only import load_rounded

    return QuantizedModel(load_rounded(model, tensors, spec), tensors=tensors, spec=spec, config=config_of(model))


def load_model(artifact: Artifact) -> nn.Module:
    """The model of an artifact in evaluation mode; a quantised one computes with its integers, bit for bit.

    Raises:
        ValueError: weights and config do not belong together.
    """
    if artifact.is_quantized:
        return _load_quantized(artifact)
    model = build_model(artifact.config)
    try:
        model.load_state_dict(load_file(artifact.weights))
    except RuntimeError as error:
        raise ValueError(f"{artifact.weights} does not fit config.json beside it: {error}") from error
    return model.eval()


def load_qat(artifact: Artifact) -> QATModel:
    """The prepared, frozen graph of an artifact with fixed ranges, from which any backend's program can be made."""
    from openautoglm.compress.state import load_quantized
    from openautoglm.export.backend import get_backend

    model = build_model(artifact.config)
    return load_quantized(
        traced_part(model), load_file(artifact.weights), read_spec(artifact), get_backend("executorch").quantizer()
    )


class IntegerPrograms:
    """What is exported of a quantised artifact, method by method.

    Args:
        artifact: quantised.
    """

    def __init__(self, artifact: Artifact) -> None:
        from openautoglm.compress import dynamic, weight_only

        self._artifact, self.spec = artifact, read_spec(artifact)
        model = build_model(artifact.config)
        assert isinstance(model, Exportable)
        self._model, self.programs = model, model.programs()
        self.is_dynamic = self.spec["scheme"] == dynamic.SCHEME
        self.computes_in_float = self.spec["scheme"] == weight_only.SCHEME

    @cached_property
    def _qat(self) -> QATModel:
        return load_qat(self._artifact)

    def modules(self, *, fold_quantize: bool) -> dict[str, nn.Module]:
        """Method to module in evaluation mode.

        Args:
            fold_quantize: see ``compress.pt2e.convert``; of no effect where a runtime takes the ranges itself.
        """
        from openautoglm.compress.dynamic import dynamic_graph
        from openautoglm.compress.pt2e import convert_programs, programs_of

        if self.computes_in_float:
            rounded: Any = weight_model(self._model, load_file(self._artifact.weights), self.spec).looks
            return {name: program.module for name, program in rounded.programs().items()}
        if self.is_dynamic:
            graph = dynamic_graph(self._model.traced(), load_file(self._artifact.weights), self.spec)
            return programs_of(graph, self.programs)
        return convert_programs(self._qat, self.programs, fold_quantize=fold_quantize)


def read_spec(artifact: Artifact) -> dict[str, Any]:
    """quantization.json of an artifact."""
    spec = json.loads((artifact.folder / "quantization.json").read_text(encoding="utf-8"))
    if not isinstance(spec, dict) or not isinstance(spec.get("scheme"), str):
        raise ValueError(f"{artifact.folder / 'quantization.json'} names no scheme: quantise the model again")
    return spec


def _load_quantized(artifact: Artifact) -> QuantizedModel:
    from openautoglm.compress import dynamic, weight_only

    model, spec = build_model(artifact.config), read_spec(artifact)
    if spec["scheme"] == dynamic.SCHEME:
        return dynamic_model(model, load_file(artifact.weights), spec)
    if spec["scheme"] == weight_only.SCHEME:
        return weight_model(model, load_file(artifact.weights), spec)
    return quantized_model(load_qat(artifact), model)
