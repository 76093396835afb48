"""The released spotter on scenes that it was not trained on, beside the same net with random weights."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from rich.console import Console

from openautoglm.artifacts import build_model
from openautoglm.bench.detection import DetectionScores
from openautoglm.data.splits import align_frames
from openautoglm.data.synthetic.scenes import SyntheticScenes
from openautoglm.runtime.recognizer import Recognizer
from openautoglm.stages.frames import EagerEngine, examine, make_recognizer
from openautoglm.zoo import store

NAME = "openautoglm-small"


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    """Recogniser to its figures on 40 scenes of another seed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAUTOGLM_HOME", str(tmp_path_factory.mktemp("cache")))
        source = SyntheticScenes(num_train=13, num_dev=13, num_test=40, num_workers=1, seed=1234)
        scenes = align_frames(source.load_frames("test"), tuple(store.find(NAME).config["classes"]))

    def score(recognizer: Recognizer) -> DetectionScores:
        return examine(recognizer, scenes, title="", console=Console(quiet=True)).scores

    return score


def test_it_finds_and_names_hands_that_a_random_net_does_not(scores):
    released = Recognizer.from_pretrained(NAME, runtime="onnx")
    torch.manual_seed(0)
    programs = build_model(store.find(NAME).config).eval().programs()
    engines = {method: EagerEngine(program) for method, program in programs.items()}
    # takes anything for a hand, so that it is not saved by silence
    random = make_recognizer(engines, released.classes, replace(released.thresholds, hand=0.001, zoom=None))
    good, bad = scores(released), scores(random)
    assert good.num_hands > 40
    assert min(good.top1, good.hand_ap50, good.map50) > 0.8
    assert max(bad.top1, bad.hand_ap50, bad.map50) < 0.2


def test_names_in_another_order_are_noticed(scores):
    mixed_up = Recognizer.from_pretrained(NAME, runtime="onnx")
    mixed_up.classes = (*mixed_up.classes[1:], mixed_up.classes[0])
    found = scores(mixed_up)
    assert found.hand_ap50 > 0.8
    assert found.top1 < 0.2
