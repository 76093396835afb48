"""What a run hands out, and nothing else."""

import pytest

from openautoglm.studio.files import handout, handouts
from openautoglm.studio.refused import RefusedError


def test_programs_come_with_what_they_need(tmp_path):
    programs = tmp_path / "artifact" / "programs"
    programs.mkdir(parents=True)
    names = ("model.onnx", "model.glance.onnx", "model.near.onnx", "model.0a1b2c3d.weights")
    for name in names:
        (programs / name).write_bytes(b"x")
    for path in ("artifact/manifest.json", "report.html", "artifact/model.safetensors", "run.json"):
        (tmp_path / path).write_text("{}")
    found = {file.name: file for file in handouts(tmp_path)}
    assert found.keys() == {*names, "manifest.json", "report.html"}
    assert all(file.path.is_file() for file in found.values())
    assert found["model.onnx"].runtime == "onnx"
    assert found["model.0a1b2c3d.weights"].runtime is None
    assert all(file.meaning for file in found.values())
    assert handout(tmp_path, "model.0a1b2c3d.weights").path == programs / "model.0a1b2c3d.weights"
    with pytest.raises(RefusedError, match=r"no file model\.safetensors"):
        handout(tmp_path, "model.safetensors")
