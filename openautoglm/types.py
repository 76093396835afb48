"""Plain structures that every room may hold: standard library only."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class MissingExtraError(ImportError):
    """An optional package is not installed; the message names the extra that brings it."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed: run  pip install 'openautoglm[{extra}]'")


PADDING = 128
"""Grey around a picture in its square and behind transparent pixels, in training and at inference alike."""


@dataclass(frozen=True)
class Fit:
    """Where a picture lies in the square it is fitted into, in pixels of the square."""

    left: int
    top: int
    width: int
    height: int

    @classmethod
    def into(cls, width: int, height: int, image_size: int) -> Fit:
        """Its longer side as long as the square's, centred."""
        scale = image_size / max(width, height)
        fitted_width, fitted_height = max(1, round(width * scale)), max(1, round(height * scale))
        return cls((image_size - fitted_width) // 2, (image_size - fitted_height) // 2, fitted_width, fitted_height)


@dataclass(frozen=True)
class Hand:
    """One recognised hand.

    Attributes:
        label: gesture name.
        score: probability of the label, 0 to 1.
        box_px: (x0, y0, x1, y1) in pixels of the frame that was given.
    """

    label: str
    score: float
    box_px: tuple[float, float, float, float]


WEIGHTS = "weights"
"""In a program's entry of the manifest: the files that it needs beside its own."""


@dataclass(frozen=True)
class Artifact:
    """A folder that holds one model: the result of a stage, a release or a download.

    ``config.json`` (architecture as plain data, classes, input size), ``model.safetensors``,
    ``quantization.json`` (quantised only), ``programs/`` (exported only), ``manifest.json``.
    """

    folder: Path

    @property
    def config(self) -> dict[str, Any]:
        """Architecture, its arguments, classes and input size."""
        return self._read("config.json")

    @property
    def manifest(self) -> dict[str, Any]:
        """Checksums, how it came about, figures, and the inputs and outputs of each program."""
        return self._read("manifest.json")

    @property
    def weights(self) -> Path:
        """The safetensors file."""
        return self.folder / "model.safetensors"

    @property
    def is_quantized(self) -> bool:
        """Whether the weights are integers."""
        return (self.folder / "quantization.json").exists()

    def program(self, suffix: str) -> Path:
        """Path of the exported program with that suffix, such as ``"pte"``."""
        return self.folder / "programs" / f"model.{suffix}"

    def num_bytes(self, program: str) -> int:
        """Of a file that the manifest's ``programs`` names, with the weights that lie beside it."""
        files = (program, *self.manifest["programs"][program].get(WEIGHTS, ()))
        return sum((self.folder / file).stat().st_size for file in files)

    def _read(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ValueError(f"{self.folder} is not an artifact: it has no {name}") from None
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is not readable JSON ({error}); download or train the artifact again") from None
        if not isinstance(content, dict):
            raise ValueError(f"{path} should hold a JSON object, found {type(content).__name__}")
        return content
