"""The code of docs/phone.md sees, finds and names as the Recognizer does; its tables are those of the manifests."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from openautoglm import Recognizer, SyntheticGestures
from openautoglm.__main__ import main as openautoglm
from openautoglm.data.synthetic.scenes import SyntheticScenes
from openautoglm.runtime.engines import open_engine
from openautoglm.runtime.geometry import letterbox
from openautoglm.runtime.pixels import as_input
from openautoglm.zoo import store

GUIDE = (Path(__file__).parents[2] / "docs" / "phone.md").read_text(encoding="utf-8")
CROPS, FRAMES = "openautoglm-small-crops", "openautoglm-small"
pytest.importorskip("onnxruntime")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.S)


@pytest.fixture(scope="module")
def guide() -> dict[str, object]:
    """What the Python of the guide defines."""
    names: dict[str, object] = {}
    for code in blocks("python"):
        exec(compile(code, "phone.md", "exec"), names)
    return names


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    root = tmp_path_factory.mktemp("crops")
    return SyntheticGestures(image_size=160, num_train=24, num_dev=12, num_test=12, num_workers=1, root=root).load(
        "train"
    )


def program(name: str, method: str, runtime: str = "onnx"):
    """A method of a released net, by its outputs."""
    artifact = store.find(name)
    for file, entry in artifact.manifest["programs"].items():
        if entry["runtime"] == runtime and method in entry["methods"]:
            outputs = [output["name"] for output in entry["methods"][method]["outputs"]]
            return open_engine(runtime, artifact.folder / file, method=method, output_names=outputs)
    raise AssertionError(f"{name} has no {method}")


@pytest.mark.parametrize("size", [(640, 480), (200, 333), (96, 96), (30, 50), (300, 100)])
def test_the_input_is_that_of_the_recognizer(guide, size):
    """Within the rounding of bytes, which Pillow does more than once on its way."""
    noise = np.asarray(Image.effect_noise((size[0] // 4 + 2, size[1] // 4 + 2), 80).resize(size).convert("RGB"))
    ours = as_input(Image.fromarray(noise), letterbox(*size, 96))
    theirs = guide["fill"](noise, *guide["whole"](noise, 96), 96)
    assert theirs.shape == ours.shape
    assert np.abs(ours - theirs).mean() < 0.5 / 255
    assert np.abs(ours - theirs).max() < 6 / 255


def test_crops_are_named_alike(guide, crops):
    config, look = store.find(CROPS).config, program(CROPS, "look")
    tool = Recognizer.from_pretrained(CROPS, runtime="onnx")
    for pixels in crops.images:
        (hand,) = tool.recognize(np.array(pixels))
        label, probability = guide["name_crop"](look.run, np.array(pixels), config)
        assert probability == pytest.approx(hand.score, abs=0.1)
        assert label == hand.label or hand.score < 0.6


@pytest.mark.parametrize(("zoom", "sure", "search"), [(1.5, 0.6, None), (1.5, None, 0.7), (None, None, None)])
def test_hands_are_found_and_named_alike(guide, tmp_path, zoom, sure, search):
    frames = SyntheticScenes(num_train=24, num_dev=12, num_test=12, num_workers=1, root=tmp_path).load_frames("train")
    tool = Recognizer.from_pretrained(FRAMES, runtime="onnx")
    tool.thresholds = replace(tool.thresholds, zoom=zoom, sure=sure, search=search)
    config = {**store.find(FRAMES).config, "thresholds": asdict(tool.thresholds)}
    glance, near, look = (program(FRAMES, method) for method in ("glance", "near", "look"))
    alike: list[bool] = []
    apart_px: list[float] = []
    for row in range(len(frames)):
        frame = np.array(frames.frame(row).image)
        hands = tool.recognize(frame)
        answers = guide["name_hands"](glance.run_named, look.run, frame, config, 256, near.run_named, 128)
        sure_ones = [hand for hand in hands if hand.score > 0.3]
        assert len(answers) >= len(sure_ones)
        for hand in sure_ones:
            label, score, box = min(answers, key=lambda answer: np.abs(answer[2] - hand.box_px).max())
            apart_px.append(np.abs(box - hand.box_px).max())
            alike.append(label == hand.label and abs(score - hand.score) < 0.1)
    assert (tool.stats.num_searched > 3) == (search is not None)
    assert len(alike) > 15
    assert np.mean(alike) >= 0.9
    assert np.median(apart_px) < 2  # of frames of 320 px
    assert np.quantile(apart_px, 0.9) < 12  # integers turn a byte of rounding into a step of a distance


def test_the_facts_of_the_tables(capsys):
    """Sizes, types and the zero point as the guide tells them."""
    for name in (CROPS, FRAMES):
        for entry in store.find(name).manifest["programs"].values():
            for method, described in entry["methods"].items():
                (given,) = described["inputs"]
                size = {"look": 96, "glance": 256, "near": 128}[method]
                assert given["shape"] == [1, 3, size, size]
                assert (given["layout"], given["colour_order"], given["value_range"]) == ("NCHW", "RGB", [0.0, 1.0])
                if entry["runtime"] == "litert":
                    assert (given["dtype"], given["zero_point"]) == ("int8", -128)
                    assert given["scale"] == pytest.approx(1 / 255)
                else:
                    assert given["dtype"] == "float32"
    commands = [line.split()[3:] for line in GUIDE.splitlines() if line.startswith("python -m openautoglm ")]
    assert commands == [["info", CROPS], ["info", FRAMES]]
    for words in commands:
        assert openautoglm(words) == 0
    assert "glance: image float32 1x3x256x256 -> attention" in capsys.readouterr().out


def test_what_cannot_be_run_says_so():
    for language in ("kotlin", "swift"):
        heads = re.findall(rf"## ([^\n]*)\n\n```{language}", GUIDE)
        assert len(heads) == len(blocks(language)) == 2
        assert all("not run here" in head for head in heads)
    crop, page, methods = blocks("javascript")
    assert "not run here" in page
    assert "not run here" not in crop + methods


NODE = """
import {readFileSync} from "node:fs";
const [size, file, answers] = [Number(process.argv[2]), process.argv[3], []];
for (const {width, height, data} of JSON.parse(readFileSync(file))) {
  const image = toInput({width, height, data: Uint8ClampedArray.from(data)}, size);
  answers.push(Array.from(image));
}
console.log(JSON.stringify(answers));
"""


def rgba(frame):
    height, width = frame.shape[:2]
    return np.dstack([frame, np.full((height, width), 255, np.uint8)]).reshape(-1).tolist()


def node(script: str, folder: Path, *words: str) -> str:
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    (folder / "run.mjs").write_text(script, encoding="utf-8")
    done = subprocess.run(["node", str(folder / "run.mjs"), *words], capture_output=True, text=True, check=True)
    return done.stdout


def test_javascript_sees_what_python_sees(guide, tmp_path):
    frames = [np.asarray(Image.effect_noise(size, 80).convert("RGB")) for size in ((60, 45), (20, 31), (32, 32))]
    pictures = [{"width": it.shape[1], "height": it.shape[0], "data": rgba(it)} for it in frames]
    (tmp_path / "pictures.json").write_text(json.dumps(pictures))
    said = json.loads(node(blocks("javascript")[0] + NODE, tmp_path, "32", str(tmp_path / "pictures.json")))
    for frame, image in zip(frames, said, strict=True):
        theirs = np.array(image, np.float32).reshape(1, 3, 32, 32)
        ours = guide["fill"](frame, *guide["whole"](frame, 32), 32)
        np.testing.assert_allclose(theirs, ours, atol=1.01 / 255)  # ties of rounding


WEB = """
import {createRequire} from "node:module";
import {readFileSync} from "node:fs";
const ort = createRequire(process.argv[2] + "/")("onnxruntime-web");
const session = await ort.InferenceSession.create(readFileSync(process.argv[3]), {executionProviders: ["wasm"]});
const {labels, pictures} = JSON.parse(readFileSync(process.argv[4]));
const answers = [];
for (const {width, height, data} of pictures)
  answers.push(await nameCrop(ort, session, {width, height, data: Uint8ClampedArray.from(data)}, labels));
console.log(JSON.stringify(answers));
"""


def node_modules() -> str:
    """Where  npm install onnxruntime-web  was run."""
    modules = os.environ.get("OPENAUTOGLM_TEST_NODE")
    if modules is None:
        pytest.skip("OPENAUTOGLM_TEST_NODE names no folder with onnxruntime-web in its node_modules")
    return modules


def test_onnxruntime_web_names_as_the_recognizer_does(crops, tmp_path):
    modules = node_modules()
    artifact, frames = store.find(CROPS), [np.array(pixels) for pixels in crops.images[:12]]
    pictures = [{"width": 160, "height": 160, "data": rgba(frame)} for frame in frames]
    told = {"labels": artifact.manifest["labels"], "pictures": pictures}
    (tmp_path / "pictures.json").write_text(json.dumps(told))
    words = (modules, str(artifact.program("onnx")), str(tmp_path / "pictures.json"))
    said = json.loads(node(blocks("javascript")[0] + WEB, tmp_path, *words))
    tool = Recognizer.from_pretrained(CROPS, runtime="litert")
    for frame, answer in zip(frames, said, strict=True):
        (hand,) = tool.recognize(frame)
        assert answer["probability"] == pytest.approx(hand.score, abs=0.1)
        assert answer["label"] == hand.label or hand.score < 0.6


METHODS = """
import {createRequire} from "node:module";
import {readFileSync} from "node:fs";
const ort = createRequire(process.argv[2] + "/")("onnxruntime-web");
const read = async (file) => readFileSync(`${process.argv[3]}/${file}`);
const manifest = JSON.parse(await read("manifest.json"));
const opened = await openMethods(ort, manifest, read);
const values = JSON.parse(readFileSync(process.argv[4])), found = {};
for (const [method, {size, image}] of Object.entries(values)) {
  const tensor = new ort.Tensor("float32", Float32Array.from(image), [1, 3, size, size]);
  const outputs = await opened[method].run({image: tensor});
  found[method] = Object.fromEntries(Object.entries(outputs).map(([name, {data}]) => [name, Array.from(data)]));
}
console.log(JSON.stringify(found));
"""


def test_onnxruntime_web_opens_all_methods_with_their_weights(crops, tmp_path):
    """The same maps as LiteRT; ONNX Runtime itself saturates on processors with AVX2 and without VNNI."""
    pytest.importorskip("ai_edge_litert")
    modules, artifact = node_modules(), store.find(FRAMES)
    engines = {method: program(FRAMES, method, "litert") for method in ("glance", "near", "look")}
    given = {}
    for method, engine in engines.items():
        size = engine.input_shape[-1]
        given[method] = as_input(Image.fromarray(crops.images[0]), letterbox(160, 160, size))
    told = {method: {"size": image.shape[-1], "image": image.reshape(-1).tolist()} for method, image in given.items()}
    (tmp_path / "values.json").write_text(json.dumps(told))
    said = json.loads(
        node(blocks("javascript")[2] + METHODS, tmp_path, modules, str(artifact.folder), str(tmp_path / "values.json"))
    )
    for method, engine in engines.items():
        for name, value in engine.run_named(given[method]).items():
            theirs = np.array(said[method][name], np.float32).reshape(value.shape)
            assert np.abs(theirs - value).mean() < 0.01 * np.ptp(value), (method, name)
