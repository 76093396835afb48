"""recipe=box_frames: the released nets find the hands of rendered frames whose boxes were thrown away."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from openautoglm.bench.detection import box_iou
from openautoglm.bench.result import read_results
from openautoglm.cli.train import main
from openautoglm.data.hagrid import HagridFrames
from openautoglm.data.splits import align_frames, dev_slice
from openautoglm.data.synthetic.scenes import SyntheticScenes
from openautoglm.zoo import store

pytest.importorskip("onnxruntime")
WORDS = ("recipe=box_frames", "data.root=hagrid", "stages.box.runtime=onnx", "trainer.accelerator=cpu")


@pytest.fixture(scope="module")
def truth(place):
    """Boxes by id, of frames in HaGRID's layout most of which are known by the gesture of their one hand alone."""
    classes = tuple(store.find("openautoglm-small").config["classes"])
    source = SyntheticScenes(num_train=13, num_dev=13, num_test=60, num_workers=1, seed=7)
    scenes, boxes, entries = align_frames(source.load_frames("test"), classes), {}, {}
    for row in range(len(scenes)):
        frame, name = scenes.frame(row), f"scene-{row}"
        if len(frame.labels) != 1 or frame.labels[0] < 0:
            continue
        label = classes[frame.labels[0]]
        pictures = place / "hagrid" / "hagrid_dataset" / label
        pictures.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.array(frame.image)).save(pictures / f"{name}.png")
        if label not in entries:  # one of each gesture is known whole
            (x0, y0, x1, y1), (height, width) = frame.boxes_px[0].tolist(), frame.image.shape[:2]
            box = [x0 / width, y0 / height, (x1 - x0) / width, (y1 - y0) / height]
            entries[label] = {name: {"bboxes": [box], "labels": [label]}}
            continue
        entries[label][name] = {"bboxes": [], "labels": [], "pseudo": True}
        if not dev_slice(name, 0.08):
            boxes[name] = frame.boxes_px
    for split in ("train", "val"):
        annotations = place / "hagrid" / "hagrid_annotations" / split
        annotations.mkdir(parents=True)
        for label, content in entries.items():
            (annotations / f"{label}.json").write_text(json.dumps(content))
    return boxes


@pytest.fixture(scope="module")
def box_run(place, truth):
    assert main(WORDS) == 0
    (run,) = (place / "runs/box_frames").iterdir()
    return run


def test_most_of_the_boxes_that_are_found_are_right(box_run, truth):
    source = HagridFrames(root="hagrid", pseudo_boxes=str(box_run / "box/boxes.json"), longest_px=4000)
    train = source.load_frames("train")
    rows = [row for row in np.flatnonzero(train.num_hands) if train.ids[row] in truth]
    assert len(rows) >= len(truth) / 3
    right = [box_iou(train.frame(row).boxes_px, truth[train.ids[row]]).max() > 0.5 for row in rows]
    assert np.mean(right) >= 0.7
    assert not train.complete[rows].any()
    assert all(train.frame(row).labels.tolist() == [train.frame_labels[row]] for row in rows)


def test_the_run_says_and_shows_what_it_found(box_run, truth):
    (stage,) = read_results(box_run).stages
    assert f"of {len(truth)} training frames without a box got one" in stage.note
    assert Image.open(box_run / "pictures/boxes.png").width > 100
    facts = json.loads((box_run / "box/boxes.json").read_text())
    assert facts["spotters"] == ["openautoglm-small", "openautoglm-nano"]
    assert "root" not in facts


def test_nets_of_other_gestures_are_refused(box_run, capsys):
    assert main([*WORDS, "stages.box.spotters=[openautoglm-small-crops]"]) == 2
    assert "finds no hands" in " ".join(capsys.readouterr().err.split())
