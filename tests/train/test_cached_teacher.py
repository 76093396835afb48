"""A cached teacher is asked once for each picture of each epoch, and what it said stays."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from child import Blobs
from rich.console import Console

from openautoglm.data import Augment, GestureData
from openautoglm.data.sampler import BalancedSampler
from openautoglm.models import create_model
from openautoglm.train import CachedTeacher, FitSettings, LitDistill, fit
from openautoglm.train.cached_teacher import weights_key


def net(seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return create_model("openautoglm-test", num_classes=3, image_size=32)


class Counted(torch.nn.Module):
    """A teacher that counts the pictures it is asked about."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.num_asked = net(seed=9), 0

    def forward(self, image):
        self.num_asked += len(image)
        return self.net(image)


def curves(folder, teacher, taught=None, *, epochs=2):
    lit = LitDistill(model=net(), teacher=teacher, num_classes=3, seed=3)
    data = GestureData(source=Blobs(), batch_size=12, seed=3, taught=taught)
    settings = FitSettings(trainer={"accelerator": "cpu"}, console=Console(quiet=True))
    fit(lit, data, folder=folder, title="distill", epochs=epochs, settings=settings)
    return json.loads((folder / "curves.json").read_text())


def test_second_run_asks_nothing_and_loses_the_same(tmp_path):
    first, second = Counted(), Counted()
    one = curves(tmp_path / "1", None, CachedTeacher(teacher=first, root=tmp_path))
    two = curves(tmp_path / "2", None, CachedTeacher(teacher=second, root=tmp_path))
    assert (first.num_asked, second.num_asked) == (2 * 72, 0)
    assert one == two
    live = curves(tmp_path / "3", Counted())
    assert live == one


def test_a_longer_run_asks_about_its_further_epochs_alone(tmp_path):
    teacher = Counted()
    curves(tmp_path / "1", None, CachedTeacher(teacher=teacher, root=tmp_path), epochs=1)
    curves(tmp_path / "2", None, CachedTeacher(teacher=teacher, root=tmp_path), epochs=3)
    assert teacher.num_asked == 3 * 72


def test_an_interrupted_epoch_leaves_nothing_and_those_before_stay(tmp_path):
    class Interrupted(Counted):
        def forward(self, image):
            if self.num_asked == 72 + 24:
                raise KeyboardInterrupt
            return super().forward(image)

    loader = GestureData(source=Blobs(), batch_size=12).train_dataloader()
    cached = CachedTeacher(teacher=Interrupted(), name="x", root=tmp_path)
    answers = cached(loader, 0)
    with pytest.raises(KeyboardInterrupt):
        cached(loader, 1)
    teacher = Counted()
    again = CachedTeacher(teacher=teacher, name="x", root=tmp_path)
    assert np.array_equal(again(loader, 0), answers)
    assert teacher.num_asked == 0
    assert again(loader, 1).shape == (72, 3)
    assert teacher.num_asked == 72
    assert len(list((tmp_path / "taught").iterdir())) == 2


def test_answers_go_with_their_pictures(tmp_path):
    data = GestureData(source=Blobs(), batch_size=12, taught=CachedTeacher(teacher=Counted(), root=tmp_path))
    data.set_epoch(4)
    teacher = Counted().eval()
    for batch in data.train_dataloader():
        with torch.no_grad():
            assert torch.equal(batch.taught, teacher(batch.image))


def test_whatever_changes_the_pictures_is_another_key(tmp_path):
    class Fewer(Blobs):
        def load(self, split):
            return super().load(split).take(range(24))

    class Relabelled(Blobs):
        def load(self, split):
            found = super().load(split)
            return replace(found, labels=found.labels[::-1].copy())

    given = {"source": Blobs(), "batch_size": 12}
    changes = [
        {}, {"seed": 1}, {"batch_size": 6}, {"augment": Augment(rotate_deg=1.0)}, {"small_epochs": 1},
        {"sampler": BalancedSampler(power=0.0)}, {"source": Fewer()}, {"source": Relabelled()},
    ]  # fmt: skip
    loaders = [GestureData(**{**given, **change}).train_dataloader() for change in changes]
    keys = [loader.key(epoch) for loader in loaders for epoch in (0, 1)]
    assert len(set(keys)) == len(keys) - 1  # beyond small_epochs the pictures are those of the first again


def test_a_teacher_is_known_by_its_weights():
    assert weights_key(net()) == weights_key(net())
    assert weights_key(net()) != weights_key(net(seed=1))


def test_a_function_needs_a_name(tmp_path):
    with pytest.raises(ValueError, match="give it a name"):
        CachedTeacher(teacher=lambda image: image.mean(dim=(2, 3)))
    loader = GestureData(source=Blobs(), batch_size=12).train_dataloader()
    far_away = CachedTeacher(teacher=lambda image: image.mean(dim=(2, 3)), name="colours", root=tmp_path)
    assert far_away(loader, 0).shape == (72, 3)
