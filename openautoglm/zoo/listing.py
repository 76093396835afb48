"""What is known of a model without loading it: read from its config and manifest, no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from openautoglm.types import Artifact
from openautoglm.zoo import store
from openautoglm.zoo.cards import measured_on


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """One model, in figures.

    Attributes:
        name: what ``from_pretrained`` takes, or the manifest's name of an artifact that is not released.
        task: ``"classify"`` for crops, ``"spot"`` for whole frames.
        classes: gestures it names.
        image_size: side of its crop in pixels.
        runtimes: who can run it.
        size_kb: of its first INT8 program; None if it was not exported.
        top1: accuracy of that program on test, 0 to 1.
        latency_ms: median of that program, one picture.
        measured_on: processor that this was measured on, and what that computes INT8 by; None if it is not known.
        data: name of what it was trained on.
        licence: of the weights; None if the manifest does not say.
    """

    name: str
    task: str
    classes: tuple[str, ...]
    image_size: int
    runtimes: tuple[str, ...]
    size_kb: float | None
    top1: float | None
    latency_ms: float | None
    measured_on: str | None
    data: str | None
    licence: str | None


def list_models() -> list[ModelInfo]:
    """The released models, by name."""
    return [describe(Artifact(store.RELEASED / name), name=name) for name in store.released()]


def describe(artifact: Artifact, *, name: str | None = None) -> ModelInfo:
    """What config and manifest of an artifact say.

    Args:
        artifact: exported or not.
        name: released name; the manifest's unless given.
    """
    config, manifest = artifact.config, artifact.manifest
    figures = _first_program(manifest)
    programs = manifest.get("programs") or {}
    return ModelInfo(
        name=name or str(manifest.get("name", artifact.folder.name)),
        task=str(config.get("task", "classify")),
        classes=tuple(config["classes"]),
        image_size=int(config["image_size"]),
        runtimes=tuple(dict.fromkeys(program["runtime"] for program in programs.values())),
        size_kb=figures.get("size_kb"),
        top1=figures.get("top1"),
        latency_ms=(figures.get("latency_ms") or {}).get("median"),
        measured_on=measured_on(manifest),
        data=(manifest.get("data") or {}).get("name"),
        licence=manifest.get("licence"),
    )


def _first_program(manifest: dict[str, Any]) -> dict[str, Any]:
    """Figures of the first exported INT8 program; nothing if there is none."""
    rows = (row for row in manifest.get("figures") or [] if row["kind"] != "float" and row["runtime"] != "eager")
    return next(rows, {})
