"""What a batch of whole frames costs."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from openautoglm.losses import KD, GlanceKD
from openautoglm.maps import GlanceMaps
from openautoglm.models import create_model
from openautoglm.tasks import Distill, Spot
from openautoglm.tensors import EMPTY, UNLABELLED, Batch, NearBatch, SpotBatch

BOXES = torch.tensor([[[16.0, 8.0, 40.0, 32.0], [0.0, 0.0, 0.0, 0.0]]])


def batch(crop_labels=(2, UNLABELLED)) -> SpotBatch:
    return SpotBatch(
        image=torch.rand(1, 3, 64, 64),
        boxes_px=BOXES,
        labels=torch.tensor([[2, EMPTY]]),
        complete=torch.tensor([True]),
        to_frame=torch.eye(2, 3)[None],
        index=torch.tensor([0]),
        crops=Batch(torch.rand(len(crop_labels), 3, 32, 32), torch.tensor(crop_labels), torch.tensor([0, 0])),
    )


class Perfect(nn.Module):
    """Answers as the batch above would have it."""

    def forward(self, crops):
        return torch.tensor([[-20.0, -20.0, 20.0, -20.0]]).repeat(len(crops), 1)

    def glance(self, image):
        attention = torch.full((1, 1, 8, 8), -20.0)
        box, logits = torch.zeros(1, 4, 8, 8), torch.zeros(1, 4, 8, 8)
        attention[0, 0, 2, 3], box[0, :, 2, 3], logits[0, 2, 2, 3] = 20.0, 1.5, 20.0
        return GlanceMaps(attention=attention, box=box, logits=logits)


def test_the_right_answer_costs_nothing():
    output = Spot().train_step(Perfect(), batch())
    assert output.loss.item() == pytest.approx(0.0, abs=1e-4)
    assert set(output.parts) == {"look", "attention", "box", "cell"}


def test_closer_views_are_judged_like_frames():
    seen = batch()
    closer = NearBatch(image=seen.image, boxes_px=seen.boxes_px, labels=seen.labels, complete=seen.complete)
    output = Spot().train_step(Perfect(), replace(seen, near=closer))
    assert output.loss.item() == pytest.approx(0.0, abs=1e-4)
    assert set(output.parts) >= {"near_attention", "near_box", "near_cell"}
    elsewhere = replace(closer, boxes_px=closer.boxes_px + 8.0)  # one cell further
    output = Spot(attention_weight=0.5, box_weight=3.0).train_step(Perfect(), replace(seen, near=elsewhere))
    parts = {name: value.item() for name, value in output.parts.items() if name.startswith("near_")}
    assert min(parts["near_attention"], parts["near_box"]) > 0.5
    wanted = 0.5 * parts["near_attention"] + 3.0 * parts["near_box"] + 0.5 * parts["near_cell"]
    assert output.loss.item() == pytest.approx(wanted, rel=1e-4)


def test_a_picture_known_by_its_gesture_alone_is_looked_into_where_the_gesture_is():
    seen = batch()
    known = replace(
        seen,
        boxes_px=torch.zeros(1, 1, 4),
        labels=torch.tensor([[EMPTY]]),
        complete=torch.tensor([False]),
        frame_label=torch.tensor([2]),
        crops=Batch(torch.rand(0, 3, 32, 32), torch.zeros(0, dtype=torch.long), torch.zeros(0, dtype=torch.long)),
    )
    looks = []

    class Watching(Perfect):
        def forward(self, crops):
            looks.append(crops)
            return super().forward(crops)

    output = Spot().train_step(Watching(), known)
    assert output.target.tolist() == [2]
    assert output.preds.argmax(dim=1).tolist() == [2]
    assert {"label_cell", "label_attention"} <= set(output.parts)
    assert output.parts["look"].item() == pytest.approx(0.0, abs=1e-4)
    assert output.parts["label_cell"].item() == pytest.approx(0.0, abs=1e-2)
    # the crop shows the box of the hand at (28, 20), not the whole picture
    blot = torch.zeros(1, 3, 64, 64)
    blot[:, :, 18:22, 26:30] = 1.0
    Spot().train_step(Watching(), replace(known, image=blot))
    assert looks[-1].shape == (1, 3, 32, 32)
    assert looks[-1].mean() > 4 * blot.mean()
    wrong = Spot().train_step(Watching(), replace(known, frame_label=torch.tensor([1])))
    assert wrong.loss > 5
    # it was not understood, so where it lies is not learnt
    assert wrong.parts["label_attention"].item() == 0.0


def test_each_part_is_weighted():
    class Shifted(Perfect):
        def glance(self, image):
            maps = super().glance(image)
            return maps._replace(box=2 * maps.box, logits=torch.zeros_like(maps.logits))

    output = Spot(box_weight=3.0, cell_weight=0.25).train_step(Shifted(), batch())
    # sides twice as long: IoU 1 / 4 and the hull is the box itself; four classes alike: log 4
    assert output.loss.item() == pytest.approx(3 * 0.75 + 0.25 * math.log(4), abs=1e-4)


def test_evaluation_leaves_out_what_has_no_label():
    output = Spot().eval_step(Perfect(), batch())
    assert output.target.tolist() == [2]
    assert output.preds.shape == (1, 4)


def test_both_looks_learn_every_weight_of_the_net():
    net = create_model("openautoglm-test", num_classes=4, image_size=32, glance_size=64)
    Spot().train_step(net, batch()).loss.backward()
    assert [name for name, value in net.named_parameters() if value.grad is None] == []


def test_a_teacher_names_the_same_crops():
    class Teacher(nn.Module):
        def forward(self, crops):
            self.seen = crops
            return torch.zeros(len(crops), 4)

    teacher, pictures = Teacher(), batch()
    task = Distill(task=Spot(), teacher=teacher, losses={"kd": KD()})
    output = task.train_step(Perfect(), pictures)
    assert torch.equal(teacher.seen, pictures.crops.image)
    assert output.parts["kd"] > 0
    assert "attention" in output.parts


class _Seer(Perfect):
    """Sees another hand than the labels know, and was never told to stand still."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def glance(self, image):
        self.seen = image
        attention = torch.full((1, 1, 8, 8), -20.0)
        attention[0, 0, 6, 6] = 20.0
        return GlanceMaps(self.scale * attention, torch.ones(1, 4, 8, 8), torch.zeros(1, 4, 8, 8))


def test_a_teachers_glance_teaches_frames_and_closer_views():
    seen, teacher = batch(), _Seer()
    closer = NearBatch(image=seen.image / 2, boxes_px=seen.boxes_px, labels=seen.labels, complete=seen.complete)
    task = Spot(teacher=teacher, glance_kd=GlanceKD(weight=0.5))
    output = task.train_step(Perfect(), replace(seen, near=closer))
    assert torch.equal(teacher.seen, closer.image)  # the last that it was asked about
    assert {"taught_attention", "near_taught_attention", "taught_box", "taught_cell"} < set(output.parts)
    attention, box = output.parts["taught_attention"].item(), output.parts["taught_box"].item()
    # a hand missed and one made up, at 20 each, halved; a box of no size beside one of two cells
    assert attention == pytest.approx(20.0, rel=1e-3)
    assert box > 0.4
    without = Spot().train_step(Perfect(), replace(seen, near=closer)).loss
    assert (output.loss - without).item() == pytest.approx(2 * (attention + box), rel=1e-3)
    assert Spot(teacher=teacher).eval_step(Perfect(), seen).loss.item() == pytest.approx(0.0, abs=1e-4)


def test_the_teacher_of_a_glance_learns_nothing():
    net, teacher = create_model("openautoglm-test", num_classes=4, image_size=32, glance_size=64), _Seer()
    Spot(teacher=teacher, teacher_bf16=True).train_step(net, batch()).loss.backward()
    assert teacher.scale.grad is None
    assert not teacher.training


def test_label_smoothing_has_bounds():
    with pytest.raises(ValueError, match=r"label_smoothing must lie in \[0, 1\), got 1"):
        Spot(label_smoothing=1)
