"""The released models: whole, light, licensed, and sensible on frames that nobody composed for them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from PIL import Image

from openautoglm import AutoModel, Recognizer, SyntheticGestures, list_models
from openautoglm.bench.detection import score_frames
from openautoglm.data.splits import align_frames
from openautoglm.data.synthetic.scenes import SyntheticScenes
from openautoglm.runtime.geometry import letterbox
from openautoglm.runtime.methods import LOOK, open_methods
from openautoglm.runtime.pixels import as_input
from openautoglm.types import Artifact
from openautoglm.zoo import store
from openautoglm.zoo.release import SOURCES

NAMES = store.released()


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    source = SyntheticScenes(
        num_train=13, num_dev=13, num_test=60, num_workers=1, root=tmp_path_factory.mktemp("scenes")
    )
    return source.load_frames("test")


@pytest.fixture(scope="module")
def crops(tmp_path_factory):
    root = tmp_path_factory.mktemp("crops")
    source = SyntheticGestures(num_train=24, num_dev=24, num_test=240, num_workers=1, occlusion=False, root=root)
    return source.load("test")


def recognizer(name: str) -> Recognizer:
    return Recognizer.from_pretrained(name, runtime="litert")


def test_all_together_are_light():
    assert NAMES
    assert sum(path.stat().st_size for path in store.RELEASED.rglob("*") if path.is_file()) <= 40e6


@pytest.mark.parametrize("name", NAMES)
class TestReleased:
    def test_is_whole_and_says_what_it_is(self, name):
        artifact = store.find(name)
        (info,) = [model for model in list_models() if model.name == name]
        assert info.task in ("classify", "spot")
        assert set(info.runtimes) == {"executorch", "litert", "onnx"}
        assert info.size_kb
        assert info.latency_ms
        assert info.licence
        card = (artifact.folder / "README.md").read_text(encoding="utf-8")
        for source, text in artifact.manifest["sources"].items():
            assert SOURCES[source] == text
            assert text in card

    def test_no_path_of_a_machine_is_in_it(self, name):
        text = json.dumps(Artifact(store.RELEASED / name).manifest)
        assert "/work" not in text
        assert "/home" not in text
        assert "/root" not in text

    def test_float_weights_are_stored_in_half_precision_and_load(self, name):
        model = AutoModel.from_pretrained(name)
        num_bytes = sum(p.numel() * 4 for p in model.parameters())
        assert store.find(name).weights.stat().st_size < 0.6 * num_bytes

    def test_float_weights_name_what_the_program_names(self, name, crops):
        """On hands that neither has seen they agree less than on photographs; random weights agree on a twentieth."""
        model, look = AutoModel.from_pretrained(name).eval(), open_methods(store.find(name), "litert", 1)[LOOK]
        same = []
        for row in range(60):
            picture = Image.fromarray(np.array(crops.images[row]))
            image = as_input(picture, letterbox(*picture.size, look.input_shape[-1]))
            with torch.inference_mode():
                same.append(int(model(torch.from_numpy(image)).argmax()) == int(look.run(image).argmax()))
        assert np.mean(same) >= 0.7

    def test_names_or_finds_rendered_hands(self, name, scenes, crops):
        """No released net has seen these hands; one with random weights names and finds next to none."""
        tool = recognizer(name)
        if store.find(name).config["task"] == "spot":
            frames = align_frames(scenes, tool.classes)
            found = [tool.recognize(np.array(frames.frame(row).image)) for row in range(len(frames))]
            scores = score_frames(found, frames)
            assert scores.hand_ap50 >= 0.5
            assert scores.top1 >= 0.4
        else:
            known = [row for row, label in enumerate(crops.labels) if crops.classes[label] in tool.classes]
            named = [tool.recognize(np.array(crops.images[row]))[0].label for row in known]
            right = [label == crops.classes[crops.labels[row]] for row, label in zip(known, named, strict=True)]
            assert len(right) > 100
            assert np.mean(right) >= 0.7

    @pytest.mark.parametrize("size", [(64, 64), (48, 640), (1000, 750), (4000, 3000)])
    def test_any_size_gives_boxes_inside_the_frame(self, name, scenes, size):
        frame = Image.fromarray(np.array(scenes.frame(0).image)).resize(size)
        for hand in recognizer(name).recognize(np.asarray(frame)):
            x0, y0, x1, y1 = hand.box_px
            assert 0 <= x0 < x1 <= size[0]
            assert 0 <= y0 < y1 <= size[1]
            assert 0 <= hand.score <= 1

    def test_a_frame_without_hands_is_not_full_of_them(self, name):
        if store.find(name).config["task"] != "spot":
            pytest.skip("it takes every picture for the crop of a hand")
        rng = np.random.default_rng(0)
        empty = [np.zeros((240, 320, 3), np.uint8), np.full((240, 320, 3), 255, np.uint8)]
        empty += [rng.integers(0, 256, (240, 320, 3), np.uint8), np.tile(np.arange(320, dtype=np.uint8), (240, 1))]
        sure = [hand for frame in empty for hand in recognizer(name).recognize(frame) if hand.score > 0.5]
        assert not sure

    def test_dark_or_upside_down_frames_do_not_break_it(self, name, scenes):
        tool = recognizer(name)
        image = np.array(scenes.frame(1).image)
        for frame in (image // 12, image[::-1], np.concatenate([image] * 3, axis=1)):
            assert all(hand.label in tool.classes for hand in tool.recognize(frame))
