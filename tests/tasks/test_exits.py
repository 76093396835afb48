"""Whatever task a net with early exits learns by, its exits learn along; a net without is trained as before."""

from __future__ import annotations

import pytest
import torch

from openautoglm.losses import KD, RKD, ExitsLoss, exits_loss
from openautoglm.models import create_model
from openautoglm.tasks import Classify, Distill, with_exits
from openautoglm.tensors import Batch


def net(**arguments):
    torch.manual_seed(0)
    return create_model("openautoglm-test", num_classes=4, image_size=32, **arguments)


@pytest.fixture
def batch():
    image = torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    return Batch(image, torch.tensor([0, 1, 2, -1]), torch.arange(4))


def tasks(student):
    return {
        "alone": Classify(),
        "logits": Distill(task=Classify(), teacher=net(), losses={"kd": KD()}, label_weight=0.0),
        "hints": Distill(task=Classify(), teacher=net(), losses={"rkd": RKD()}, student=student),
    }


@pytest.mark.parametrize("name", ["alone", "logits", "hints"])
def test_exits_learn_beside_every_task(batch, name):
    student = net(exit_stages=[2, 3])
    task, loss = tasks(student)[name], ExitsLoss(weight=0.7)
    output = task.train_step(student, batch)
    *early, last = student.eval().all_exits(batch.image)
    student.train()
    whole = with_exits(output, loss)
    value = exits_loss(output.early, output.preds, batch.label)
    assert len(output.early) == len(early) == 2
    assert last.shape == early[0].shape == output.early[1].shape
    assert whole.loss.item() == pytest.approx((output.loss + 0.7 * value).item(), abs=1e-5)
    assert whole.parts["exits"] == value
    assert output.parts.items() <= whole.parts.items()
    whole.loss.backward()
    assert all(parameter.grad.abs().sum() > 0 for head in student.exits for parameter in head.parameters())


def test_logits_of_exits_are_those_of_the_net(batch):
    student = net(exit_stages=[3]).eval()
    output = Classify().train_step(student, batch)
    early, last = student.all_exits(batch.image)
    assert torch.equal(output.early[0], early)
    assert torch.equal(output.preds, last)
    assert torch.equal(last, student(batch.image))
    assert torch.equal(student.observe(batch.image).early[0], early)


def test_a_net_without_exits_learns_as_before(batch):
    student = net()
    student.all_exits = None  # would raise
    output = Classify().train_step(student, batch)
    assert output.early == ()
    assert with_exits(output, ExitsLoss()) is output


def test_a_student_is_judged_by_its_last_exit(batch):
    student = net(exit_stages=[3]).eval()
    assert torch.equal(Classify().eval_step(student, batch).preds, student(batch.image))
