"""What tests of several rooms share: one tiny net, quantised and exported once, whatever the number of workers."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from torch import Tensor

NUM_CLASSES, IMAGE_SIZE = 5, 64


def smooth_images(count: int, seed: int = 0) -> Tensor:
    """Pictures with large structures, RGB in [0, 1]."""
    coarse = torch.rand(count, 3, 5, 5, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, (IMAGE_SIZE, IMAGE_SIZE), mode="bilinear")


def _tiny_model(seed: int = 0) -> torch.nn.Module:
    from openautoglm.models import create_model

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return create_model("openautoglm-test", num_classes=NUM_CLASSES, image_size=IMAGE_SIZE)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """Fills a folder by ``make(folder)`` if no other worker of pytest's did; nobody may change what is in it."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def folder_of(name: str, make: Callable[[Path], None]) -> Path:
        folder, done = shared / name, shared / f"{name}.done"
        with FileLock(shared / f"{name}.lock"):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a worker that failed in it
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return folder_of


@dataclass(frozen=True)
class Tiny:
    """A net of a few thousand parameters on its way to the phone."""

    model: torch.nn.Module
    qat: torch.nn.Module
    converted: torch.nn.Module
    folder: Path
    """Holds float.<suffix> and model.<suffix> of every backend."""


@pytest.fixture
def tiny_model() -> Callable[..., torch.nn.Module]:
    """Builds the float net, the same for the same seed."""
    return _tiny_model


@pytest.fixture
def images() -> Callable[..., Tensor]:
    return smooth_images


@pytest.fixture(scope="session")
def tiny(made_once) -> Tiny:
    """The net after some steps of QAT, and its exports to all three formats, float and INT8."""
    pytest.importorskip("executorch")
    from openautoglm.compress.pt2e import convert, prepare_qat
    from openautoglm.export.backend import ExportedInput, available, get_backend

    model = _tiny_model().train()
    with torch.no_grad():
        for seed in range(10):
            model(smooth_images(16, seed))
    qat = prepare_qat(model, smooth_images(2), get_backend("executorch").quantizer()).train()
    optimizer = torch.optim.SGD(qat.parameters(), 1e-3)
    for seed in range(3):
        target = torch.arange(16) % NUM_CLASSES
        torch.nn.functional.cross_entropy(qat(smooth_images(16, seed)), target).backward()
        optimizer.step()
        optimizer.zero_grad()
    qat.freeze()
    qat.eval()
    model.eval()

    def export(folder: Path) -> None:
        example = (smooth_images(1),)
        for name in available():
            backend = get_backend(name)
            graph = convert(qat, fold_quantize=backend.fold_quantize)
            backend.export({"look": ExportedInput(model, example)}, folder / f"float.{backend.suffix}", quantized=False)
            backend.export({"look": ExportedInput(graph, example)}, folder / f"model.{backend.suffix}", quantized=True)

    return Tiny(model, qat, convert(qat), made_once("programs", export))
