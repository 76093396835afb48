"""Artifacts are found, checked before use, and written whole or not at all."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from openautoglm.zoo import store


@pytest.fixture
def artifact(tmp_path):
    def write(folder):
        store.write_json(folder / "config.json", {"architecture": "x"})
        (folder / "model.safetensors").write_bytes(b"weights")

    return store.build(tmp_path / "run" / "artifact", write, {"name": "a net"})


def test_found_in_its_folder_or_by_its_run(artifact):
    assert store.find(artifact.folder).manifest["name"] == "a net"
    assert store.find(artifact.folder.parent).folder == artifact.folder
    assert artifact.config == {"architecture": "x"}


@pytest.mark.parametrize("change", [b"weightz", b""])
def test_changed_weights_are_refused(artifact, change):
    artifact.weights.write_bytes(change)
    with pytest.raises(ValueError, match=r"model\.safetensors is corrupt"):
        store.find(artifact.folder)


def test_missing_file_is_named(artifact):
    artifact.weights.unlink()
    with pytest.raises(ValueError, match=r"model\.safetensors is missing"):
        store.find(artifact.folder)


def test_manifest_cannot_point_outside(artifact):
    (artifact.folder.parent / "secret").write_text("x")
    manifest = artifact.manifest
    manifest["files"]["../secret"] = {"sha256": store.sha256(artifact.folder.parent / "secret"), "bytes": 1}
    store.write_json(artifact.folder / "manifest.json", manifest)
    with pytest.raises(ValueError, match="outside the artifact"):
        store.find(artifact.folder)


def test_weights_of_a_program_need_a_checksum(artifact):
    manifest = artifact.manifest
    (artifact.folder / "programs").mkdir(exist_ok=True)
    program = artifact.folder / "programs" / "model.look.onnx"
    program.write_bytes(b"graph")
    manifest["files"]["programs/model.look.onnx"] = {"sha256": store.sha256(program), "bytes": 5}
    manifest["programs"] = {"programs/model.look.onnx": {"runtime": "onnx", "weights": ["programs/model.0.weights"]}}
    store.write_json(artifact.folder / "manifest.json", manifest)
    with pytest.raises(ValueError, match=r"no checksum of programs/model\.0\.weights"):
        store.find(artifact.folder)


def test_manifest_without_files_is_refused(artifact):
    store.write_json(artifact.folder / "manifest.json", {"files": {}})
    with pytest.raises(ValueError, match="lists no files"):
        store.find(artifact.folder)


def test_broken_json_is_named(artifact):
    (artifact.folder / "manifest.json").write_text("{")
    with pytest.raises(ValueError, match=r"manifest\.json is not readable JSON"):
        store.find(artifact.folder)


def test_a_failed_build_leaves_the_old_artifact(artifact):
    def fail(folder):
        (folder / "config.json").write_text("{}")
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        store.build(artifact.folder, fail, {})
    assert store.find(artifact.folder).config == {"architecture": "x"}
    assert sorted(path.name for path in artifact.folder.iterdir()) == [
        "config.json",
        "manifest.json",
        "model.safetensors",
    ]


def test_building_keeps_logs_beside(artifact):
    (artifact.folder / "curves.json").write_text("[]")
    store.build(artifact.folder, lambda folder: store.write_json(folder / "config.json", {"architecture": "y"}), {})
    assert (artifact.folder / "curves.json").exists()
    assert json.loads((artifact.folder / "config.json").read_text()) == {"architecture": "y"}


def test_neither_folder_nor_name(tmp_path):
    with pytest.raises(ValueError, match="neither a folder nor a released name"):
        store.find("openautoglm-gigantic")
    with pytest.raises(ValueError, match=r"holds no artifact: expected config\.json"):
        store.find(tmp_path)


def test_needs_no_torch():
    code = "import sys, openautoglm.zoo.store; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
