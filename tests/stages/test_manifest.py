"""A phone developer has the files and the manifest: each runtime is driven from these alone."""

from __future__ import annotations

import json

import numpy as np
import pytest

from openautoglm import AutoModel
from openautoglm.runtime.engines import open_engine


@pytest.fixture
def manifest(tiny_run):
    return json.loads((tiny_run / "artifact" / "manifest.json").read_text())


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def method_of(manifest, runtime):
    path, entry = next((path, entry) for path, entry in manifest["programs"].items() if entry["runtime"] == runtime)
    method = entry["methods"]["look"]
    (given,), (returned,) = method["inputs"], method["outputs"]
    return path, given, returned


def as_input(picture, given):
    assert given["layout"] == "NCHW"
    assert given["colour_order"] == "RGB"
    assert given["value_range"] == [0.0, 1.0]
    image = np.ascontiguousarray(picture.transpose(2, 0, 1)[None] / 255, np.float32)  # ExecuTorch knows no strides
    assert list(image.shape) == given["shape"]
    if given["scale"] is None:
        return image.astype(given["dtype"])
    steps = np.rint(image / given["scale"]) + given["zero_point"]
    return steps.clip(np.iinfo(given["dtype"]).min, np.iinfo(given["dtype"]).max).astype(given["dtype"])


def as_logits(output, returned):
    assert list(output.shape) == returned["shape"]
    if returned["scale"] is None:
        return output.reshape(-1)
    return (output.reshape(-1).astype(np.float32) - returned["zero_point"]) * returned["scale"]


def run_onnx(path, given, returned, image):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run([returned["name"]], {given["name"]: image})[0]


def run_litert(path, given, returned, image):
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_path=str(path)).get_signature_runner("look")
    return runner(**{given["name"]: image})[returned["name"]]


def run_executorch(path, given, returned, image):
    import torch
    from executorch.runtime import Runtime

    return Runtime.get().load_program(path).load_method("look").execute([torch.from_numpy(image)])[0].numpy()


def saturates(runtime):
    """ONNX Runtime adds products in 16 bits on processors with AVX2 and without VNNI, which overflow."""
    import torch

    has = torch.cpu.get_capabilities()
    return runtime == "onnx" and has.get("avx2") and not (has.get("avx512_vnni") or has.get("avx_vnni"))


@pytest.mark.parametrize(
    ("runtime", "run"), [("onnx", run_onnx), ("litert", run_litert), ("executorch", run_executorch)]
)
def test_the_manifest_is_enough(tiny_run, manifest, picture, runtime, run):
    import torch

    path, given, returned = method_of(manifest, runtime)
    output = run(tiny_run / "artifact" / path, given, returned, as_input(picture, given))
    logits = as_logits(output, returned)
    image = torch.from_numpy(picture.transpose(2, 0, 1)[None] / 255).float()
    eager = AutoModel.from_pretrained(tiny_run)(image)[0].detach().numpy()
    theirs = open_engine(runtime, tiny_run / "artifact" / path).run(image.numpy())
    np.testing.assert_allclose(logits, theirs, atol=1e-5)
    assert len(manifest["labels"]) == len(logits)
    if saturates(runtime):
        pytest.skip(
            "its numbers are the engine's; ONNX Runtime overflows on this processor, with AVX2 and without VNNI"
        )
    assert np.abs(logits - eager).max() <= 0.05 * (eager.max() - eager.min()) + 1e-6
