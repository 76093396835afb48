"""Engines and artifacts that nobody had to train."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest


def _load(name):
    """A module beside; loaded by path, since tests are no package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def colours():
    return _load("colours")


@pytest.fixture(scope="session")
def colour_artifact(colours, tmp_path_factory):
    """Folder of an artifact with both methods for all three runtimes."""
    pytest.importorskip("executorch")
    from openautoglm.export.backend import quiet_export

    with quiet_export():
        return colours.build(tmp_path_factory.mktemp("colours") / "artifact", ("executorch", "litert", "onnx"))
