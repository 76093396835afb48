"""What a notebook uses: save a model as an artifact and load it again, float or quantised."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from openautoglm.models import Exportable, TeacherMean, TimmClassifier, create_model
from openautoglm.types import Artifact
from openautoglm.zoo import hub, store

if TYPE_CHECKING:
    from openautoglm.compress.pt2e import QATModel

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
        return TeacherMean(members=[build_model(member) for member in arguments["members"]])
    if architecture.startswith(TIMM):
        return TimmClassifier(architecture=architecture.removeprefix(TIMM), **arguments)
    return create_model(architecture, **arguments)


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


def load_model(artifact: Artifact) -> nn.Module:
    """The model of an artifact in evaluation mode; a quantised one computes with its integers, bit for bit.

    Raises:
        ValueError: weights and config do not belong together.
    """
    model = build_model(artifact.config)
    if artifact.is_quantized:
        from openautoglm.compress.pt2e import convert

        graph = convert(load_qat(artifact))
        return model.on_graph(graph) if isinstance(model, Exportable) else graph
    try:
        model.load_state_dict(load_file(artifact.weights))
    except RuntimeError as error:
        raise ValueError(f"{artifact.weights} does not fit config.json beside it: {error}") from error
    return model.eval()


def load_qat(artifact: Artifact) -> QATModel:
    """The prepared, frozen graph of a quantised artifact, from which any backend's program can be made."""
    from openautoglm.compress.state import load_quantized
    from openautoglm.export.backend import get_backend

    spec = json.loads((artifact.folder / "quantization.json").read_text(encoding="utf-8"))
    quantizer = get_backend("executorch").quantizer()
    model = build_model(artifact.config)
    source = model.traced() if isinstance(model, Exportable) else model
    return load_quantized(source, load_file(artifact.weights), spec, quantizer)


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
