import threading
from pathlib import Path

import lightning
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import openautoglm.data as data
from openautoglm.data import Augment, BalancedSampler, FolderGestures, GestureData, ParquetGestures, steps
from openautoglm.data.loader import TrainLoader
from openautoglm.tensors import Batch

pytestmark = [
    pytest.mark.usefixtures("own_cache"),
    # about Lightning's set-up, not about the data
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*", "ignore:.*GPU available.*"),
]


@pytest.fixture
def photos(make_folder) -> FolderGestures:
    return FolderGestures(root=str(make_folder({"a": 40, "b": 20, "c": 10})), image_size=16)


def epoch_of(module: GestureData, epoch: int) -> list[Batch]:
    module.set_epoch(epoch)
    return list(module.train_dataloader())


def equal(one: list[Batch], two: list[Batch]) -> bool:
    return len(one) == len(two) and all(
        torch.equal(a.image, b.image) and torch.equal(a.label, b.label) and torch.equal(a.index, b.index)
        for a, b in zip(one, two, strict=True)
    )


def test_batches(photos):
    module = GestureData(source=photos, batch_size=8)
    loader = module.train_dataloader()
    batches = list(loader)
    assert len(batches) == len(loader) == len(module.train) // 8
    assert all(batch.image.shape == (8, 3, 16, 16) for batch in batches)
    assert all(torch.equal(batch.label, torch.from_numpy(module.train.labels[batch.index])) for batch in batches)
    assert module.classes == ("a", "b", "c")
    assert module.num_classes == 3


def test_evaluation_shows_every_picture_once_as_it_is(photos):
    module = GestureData(source=photos, eval_batch_size=3)
    batches = list(module.val_dataloader())
    assert len(batches) == len(module.val_dataloader())
    assert torch.cat([batch.index for batch in batches]).tolist() == list(range(len(module.dev)))
    first = torch.from_numpy(np.array(module.dev.images[0])).permute(2, 0, 1) / 255
    assert torch.allclose(batches[0].image[0], first)
    assert sum(len(batch.label) for batch in module.test_dataloader()) == len(module.test)


def test_epoch_three_is_the_same_fresh_or_reached(photos):
    reached = GestureData(source=photos, batch_size=8, seed=5)
    epochs = [epoch_of(reached, epoch) for epoch in range(4)]
    assert equal(epochs[3], epoch_of(GestureData(source=photos, batch_size=8, seed=5), 3))
    assert not equal(epochs[3], epochs[2])
    assert not equal(epochs[3], epoch_of(GestureData(source=photos, batch_size=8, seed=6), 3))


def test_thread_changes_nothing_and_ends(photos):
    plain, ahead = GestureData(source=photos, batch_size=8), GestureData(source=photos, batch_size=8, num_prefetch=2)
    assert equal(epoch_of(plain, 1), epoch_of(ahead, 1))
    before = threading.active_count()
    unfinished = iter(ahead.train_dataloader())
    next(unfinished)
    unfinished.close()  # as when the trainer stops early
    assert threading.active_count() == before


def test_processes_change_nothing(photos):
    def taught(loader: TrainLoader, epoch: int) -> NDArray[np.float32]:
        asked.append(epoch)
        pictures = sum(len(batch.label) for batch in loader.pictures(epoch))
        return np.arange(2 * pictures, dtype=np.float32).reshape(-1, 2) + epoch

    asked: list[int] = []
    plain, made = (GestureData(source=photos, batch_size=8, num_workers=number, taught=taught) for number in (0, 2))
    loader = made.train_dataloader()
    for epoch in (0, 3):
        made.set_epoch(epoch)
        batches = list(loader)
        assert equal(epoch_of(plain, epoch), batches)
        said = torch.cat([batch.taught for batch in batches])
        assert said.flatten().tolist() == list(range(epoch, epoch + 2 * len(said)))
    assert asked == [0, 0, 3, 3]  # by the process that trains, once an epoch each


def test_error_in_a_process_reaches_the_consumer(photos, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Augment, "__call__", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        list(GestureData(source=photos, num_workers=1, batch_size=8).train_dataloader())


def test_processes_need_a_system_that_forks(photos, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(steps, "can_fork", lambda: False)
    with pytest.raises(ValueError, match="num_workers=2 needs a system that forks"):
        GestureData(source=photos, num_workers=2).train_dataloader()


def test_fewer_processes_than_none_are_refused(photos):
    with pytest.raises(ValueError, match="num_workers=-1 should be a number of processes"):
        GestureData(source=photos, num_workers=-1).train_dataloader()


def test_error_in_the_thread_reaches_the_consumer(photos, monkeypatch: pytest.MonkeyPatch):
    module = GestureData(source=photos, num_prefetch=1, batch_size=8)
    monkeypatch.setattr(Augment, "__call__", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        list(module.train_dataloader())


class Recorder(lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = torch.nn.Linear(3, 3)
        self.seen: dict[int, list[Batch]] = {}

    def training_step(self, batch: Batch, _: int) -> torch.Tensor:
        self.seen.setdefault(self.current_epoch, []).append(batch)
        return torch.nn.functional.cross_entropy(self.layer(batch.image.mean((2, 3))), batch.label)

    def validation_step(self, batch: Batch, _: int) -> None:
        assert isinstance(batch, Batch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(photos, folder: Path, epochs: int, checkpoint: Path | None = None, **options) -> tuple[Recorder, Path]:
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        **options,
    )
    model = Recorder()
    path = None if checkpoint is None else str(checkpoint)
    trainer.fit(model, datamodule=GestureData(source=photos, batch_size=8), ckpt_path=path, weights_only=True)
    saved = folder / f"{epochs}.ckpt"
    trainer.save_checkpoint(saved)
    return model, saved


def test_trainer_sees_what_set_epoch_gives_and_resumes_with_the_same_batches(photos, tmp_path: Path):
    whole, _ = fit(photos, tmp_path, 4)
    alone = GestureData(source=photos, batch_size=8)
    for epoch in range(4):
        assert equal(whole.seen[epoch], epoch_of(alone, epoch))
    _, saved = fit(photos, tmp_path, 2)
    resumed, _ = fit(photos, tmp_path, 4, saved)
    assert sorted(resumed.seen) == [2, 3]
    assert equal(resumed.seen[2], whole.seen[2])
    assert equal(resumed.seen[3], whole.seen[3])
    assert torch.equal(resumed.layer.weight, whole.layer.weight)


def test_fast_dev_run(photos, tmp_path: Path):
    model, _ = fit(photos, tmp_path, 1, fast_dev_run=True)
    assert len(model.seen[0]) == 1


def test_processes_share_an_epoch(photos):
    module = GestureData(source=photos, batch_size=4)
    whole = [batch.index.tolist() for batch in module.train_dataloader()]
    shares = []
    for rank in range(2):
        loader = module.train_dataloader()
        loader._shard = lambda rank=rank: (rank, 2)
        shares.append([batch.index.tolist() for batch in loader])
        assert len(loader) == len(shares[-1]) == len(whole) // 2
    pairs = [batch for pair in zip(*shares, strict=True) for batch in pair]
    assert pairs == whole[: len(pairs)]


def test_unlabelled_pictures_are_mixed_in(make_parquet):
    root = make_parquet({"train": [0, 1, 2] * 40, "validation": [0], "pool-0": [None] * 30})
    source = ParquetGestures(root=str(root), image_size=16, id_column="image_id", unlabelled_files="pool-*.parquet")
    module = GestureData(source=source, batch_size=8, sampler=BalancedSampler(unlabelled_fraction=0.25))
    batches = list(module.train_dataloader())
    assert all((batch.label == -1).sum() == 2 for batch in batches)
    assert all(((batch.index >= len(module.train)) == (batch.label == -1)).all() for batch in batches)
    assert module.fingerprint != GestureData(source=source).fingerprint


def test_first_epochs_are_small(make_parquet):
    source = ParquetGestures(root=str(make_parquet({"train": [0, 1, 2] * 40})), image_size=48, id_column="image_id")
    small = GestureData(source=source, batch_size=8, small_px=32, small_epochs=1)
    whole = GestureData(source=source, batch_size=8)
    first, expected = next(iter(small.train_dataloader())), next(iter(whole.train_dataloader()))
    assert first.image.shape == (8, 3, 32, 32)
    assert torch.equal(first.label, expected.label)  # the same pictures, shrunk
    assert (first.image.mean((2, 3)) - expected.image.mean((2, 3))).abs().max() < 0.02
    small.set_epoch(1)
    whole.set_epoch(1)
    assert torch.equal(next(iter(small.train_dataloader())).image, next(iter(whole.train_dataloader())).image)
    with pytest.raises(ValueError, match="small_px=8 should be at least 32"):
        GestureData(source=source, small_px=8).train_dataloader()


def test_unlabelled_pictures_must_be_there(photos, make_parquet):
    sampler = BalancedSampler(unlabelled_fraction=0.5)
    with pytest.raises(ValueError, match="folder has no unlabelled pictures"):
        GestureData(source=photos, sampler=sampler).setup("fit")
    parquet = ParquetGestures(root=str(make_parquet({"train": [0, 1, 2] * 40})), image_size=16)
    with pytest.raises(ValueError, match="unlabelled_files"):
        GestureData(source=parquet, sampler=sampler).setup("fit")


def test_one_class_is_refused(make_parquet):
    source = ParquetGestures(root=str(make_parquet({"train": [1] * 60})), image_size=16, id_column="image_id")
    with pytest.raises(ValueError, match="one class only"):
        GestureData(source=source).setup("fit")


def test_names_are_loaded_when_asked_for():
    assert data.GestureData is GestureData
    assert set(dir(data)) == {
        "Augment", "BalancedSampler", "BoxFrames", "FolderGestures", "GestureData", "HagridFrames", "LabelledFrames",
        "ParquetGestures", "SceneAugment", "SceneSampler", "SpotData", "SyntheticGestures", "SyntheticScenes",
        "contact_sheet", "frame_sheet",
    }  # fmt: skip
    with pytest.raises(AttributeError, match="nothing"):
        _ = data.nothing
    with pytest.raises(ValueError, match="batch_size=0"):
        GestureData(source=None, batch_size=0)
