"""Make a released artifact of a run: INT8 programs beside float weights in half precision; needs no torch."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from openautoglm.types import Artifact
from openautoglm.zoo import cards, store

SOURCES = {
    "hagrid": "HaGRID v1.1 (hukenovs/hagrid, Kapitanov et al., arXiv 2206.08219), photographs; its own public licence, "
    "a rework of CC BY-SA 4.0: attribution, changes noted, share-alike",
    "hands_dataset": "SubhiH/HandsDataset, webcam photographs with boxes of hands; Apache-2.0",
    "scenes": "rendered by openautoglm; Apache-2.0",
}
"""Data that released weights may come from, and on what terms."""
_LICENCES = {"hagrid": "HaGRID's own (from CC BY-SA 4.0)"}
"""Of the weights, where a source asks for one; the strictest source decides."""
_FLOAT_STAGES = ("spot", "distill")


def release(
    run: str | Path,
    name: str,
    *,
    sources: Sequence[str],
    weights: str | Path | None = None,
    root: Path = store.RELEASED,
) -> Artifact:
    """Write ``root/name`` from a finished run.

    Args:
        run: its folder; it holds ``artifact/``.
        name: to find it by, such as ``"openautoglm-small"``.
        sources: keys of ``SOURCES``: all that the weights were trained on.
        weights: released name or folder of the float net that the run quantised; None takes what the run trained.
        root: where releases lie.

    Raises:
        ValueError: the run is not finished, a source is not known, the float net is missing or another one, or its
            weights are no half-precision numbers.
    """
    if unknown := sorted(set(sources) - SOURCES.keys()):
        raise ValueError(f"unknown sources {', '.join(unknown)}; known are {', '.join(SOURCES)}")
    folder = Path(run).expanduser()
    made = store.find(folder / "artifact")
    original = _float_student(folder) if weights is None else store.find(weights)
    config = {**made.config, "task": "spot" if made.config["arguments"].get("glance_size") else "classify"}
    if original.config["arguments"] != config["arguments"]:
        raise ValueError(f"{original.folder} is another net than the artifact of {folder}")
    if original.is_quantized:
        raise ValueError(f"{original.folder} is quantised, expected the float net, such as a run's spot/")
    manifest = {key: value for key, value in made.manifest.items() if key not in ("files", "format")}
    manifest |= {
        "name": name,
        "licence": next((_LICENCES[source] for source in sources if source in _LICENCES), "Apache-2.0"),
        "sources": {source: SOURCES[source] for source in sources},
    }
    halved = {key: _halved(key, value) for key, value in load_file(original.weights).items()}

    def write(fresh: Path) -> None:
        store.write_json(fresh / "config.json", config)
        save_file(halved, fresh / "model.safetensors")
        shutil.copytree(made.folder / "programs", fresh / "programs")
        (fresh / "README.md").write_text(cards.write_card(manifest), encoding="utf-8")

    return store.build(root / name, write, manifest)


def _float_student(folder: Path) -> Artifact:
    for stage in _FLOAT_STAGES:
        if (folder / stage / "config.json").exists():
            return store.find(folder / stage)
    raise ValueError(
        f"{folder} holds no float student: expected one of {', '.join(_FLOAT_STAGES)} in it; a run that began with "
        "init=NAME_OR_FOLDER quantised that one: name it by --weights NAME_OR_FOLDER"
    )


def _halved(name: str, tensor: NDArray[np.generic]) -> NDArray[np.generic]:
    """Matrices and kernels in float16, the rest, which is small, as it is."""
    if tensor.ndim < 2 or tensor.dtype != np.float32:
        return tensor
    half = tensor.astype(np.float16)
    if not np.array_equal(half.astype(np.float32), tensor):
        raise ValueError(
            f"{name} is not in half precision, so figures of these weights are not those of a release; train with the "
            "stage spot, which rounds them"
        )
    return half
