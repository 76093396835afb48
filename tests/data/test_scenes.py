import threading
from dataclasses import replace

import lightning
import numpy as np
import pytest
import torch

from openautoglm.data.base import ImageSet
from openautoglm.data.compose import Composer
from openautoglm.data.frames import Frame, FrameSet
from openautoglm.data.images import pad_square
from openautoglm.data.sampler import SceneSampler
from openautoglm.data.scene_augment import SceneAugment
from openautoglm.data.spot import SpotData
from openautoglm.data.transforms import Augment
from openautoglm.tensors import EMPTY, NOWHERE, NearBatch, SpotBatch

pytestmark = [
    # about Lightning's set-up, not about the data
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*", "ignore:.*GPU available.*"),
]
CLASSES = ("fist", "no_gesture", "palm")
PLAIN = SceneAugment(zoom=(1.0, 1.0), prob_turned=0.0, prob_mirror=0.0, light=Augment(enabled=False))


class Frames:
    """A source of frames in memory."""

    def __init__(self, splits: dict[str, FrameSet], *, mirror: bool = True, classes: tuple[str, ...] = CLASSES) -> None:
        self.name, self.mirror, self._splits, self._classes = "made", mirror, splits, classes

    def class_names(self) -> tuple[str, ...]:
        return self._classes

    def load_frames(self, split: str) -> FrameSet:
        return self._splits[split]


class Crops:
    """A source of crops in memory."""

    name, image_size, mirror = "crops", 16, True

    def class_names(self) -> tuple[str, ...]:
        return ("ok", "palm")

    def load(self, split: str) -> ImageSet:
        assert split == "train"
        labels = np.array([0, 1, 1, 1, 1, 1], np.int64)
        images = np.random.default_rng(0).integers(0, 256, (len(labels), 16, 16, 3), dtype=np.uint8)
        return ImageSet("crops/train", self.class_names(), images, labels, tuple("abcdef"), "crops")


@pytest.fixture
def split(make_frame, make_frames):
    """Call with a number of frames: every third has two hands, every fourth may have more than have boxes."""

    def make(count: int, *, first: int = 0) -> FrameSet:
        frames = []
        for number in range(first, first + count):
            boxes = [[5 + number % 7, 8, 25, 30], [30, 10, 38, 30]][: 1 + (number % 3 == 0)]
            labels = [number % 2 * 2, -1][: len(boxes)]
            frames.append(make_frame(40 + number % 3 * 8, 40, boxes, labels, complete=number % 4 > 0, seed=number))
        return make_frames(frames, classes=CLASSES)

    return make


@pytest.fixture
def source(split) -> Frames:
    return Frames({"train": split(22), "dev": split(5, first=30), "test": split(4, first=40)})


def module(source: Frames, **options) -> SpotData:
    return SpotData(
        **{"source": source, "image_size": 32, "crop_size": 16, "batch_size": 4, "eval_batch_size": 2, **options}
    )


def epoch_of(data: SpotData, epoch: int) -> list[SpotBatch]:
    data.set_epoch(epoch)
    return list(data.train_dataloader())


def tensors(batch: SpotBatch) -> list[torch.Tensor]:
    fields = [part for seen in (batch, batch.crops, batch.near) if seen is not None for part in vars(seen).values()]
    return [value for value in fields if isinstance(value, torch.Tensor)]


def equal(one: list[SpotBatch], two: list[SpotBatch]) -> bool:
    return len(one) == len(two) and all(
        torch.equal(a, b)
        for left, right in zip(one, two, strict=True)
        for a, b in zip(tensors(left), tensors(right), strict=True)
    )


def test_batches_of_training(source):
    data = module(source, others=[Frames({"train": source.load_frames("test")})], crops=Crops(), crops_per_frame=2)
    batches = epoch_of(data, 0)
    assert len(batches) == len(data.train_dataloader()) == 22 // 4
    for batch in batches:
        assert batch.image.shape == (4, 3, 32, 32)
        assert batch.image.dtype == torch.float32
        assert 0 <= batch.image.min() <= batch.image.max() <= 1
        assert batch.boxes_px.shape == (4, batch.labels.shape[1], 4)
        assert batch.complete.shape == batch.index.shape == (4,)
        assert batch.to_frame.shape == (4, 2, 3)
        assert batch.crops.image.shape == (len(batch.crops.label), 3, 16, 16)
        there = batch.labels != EMPTY
        assert (batch.boxes_px[~there] == 0).all()
        boxes = batch.boxes_px[there]
        assert (boxes >= 0).all()
        assert (boxes <= 32).all()
        assert (boxes[:, :2] < boxes[:, 2:]).all()
        assert set(batch.labels[there].tolist()) <= {-1, 0, 2}
        assert (batch.crops.index.diff() >= 0).all()
        assert torch.bincount(batch.crops.index, minlength=4).max() <= 2


def test_plain_crops_join_those_of_the_frames(source):
    data = module(source, crops=Crops(), plain_crops=3, crops_per_frame=1)
    batches = epoch_of(data, 0)
    assert len(batches) == len(data.train_dataloader()) == 22 // 4
    alone = epoch_of(module(source, crops=Crops(), crops_per_frame=1), 0)
    for batch, scenes in zip(batches, alone, strict=True):
        assert torch.equal(batch.image, scenes.image)
        assert torch.equal(batch.crops.image[:-3], scenes.crops.image)
        assert batch.crops.index[-3:].tolist() == [NOWHERE] * 3
        assert len(batch.crops.label) == len(batch.crops.index) == len(batch.crops.image)
    assert equal(batches, epoch_of(data, 0))
    assert not equal(batches, epoch_of(data, 1))
    with pytest.raises(ValueError, match="plain_crops=3 should be 0"):
        module(source, plain_crops=3)


def whites_of(seen: SpotBatch | NearBatch) -> list[float]:
    """The darkest pixel well within each box that is not tiny."""
    return [
        float(image[:, y0 + 2 : y1 - 2, x0 + 2 : x1 - 2].min())
        for image, boxes, labels in zip(seen.image, seen.boxes_px, seen.labels, strict=True)
        for x0, y0, x1, y1 in boxes[labels != EMPTY].round().int().tolist()
        if min(x1 - x0, y1 - y0) > 6
    ]


def test_closer_views_stand_beside_the_same_frames_and_crops(source):
    batches = epoch_of(module(source, near_size=64), 0)
    plain = epoch_of(module(source), 0)
    for batch, without in zip(batches, plain, strict=True):
        assert without.near is None
        assert torch.equal(batch.image, without.image)
        assert torch.equal(batch.crops.image, without.crops.image)
        assert batch.near is not None
        assert batch.near.image.shape == (len(batch.image), 3, 64, 64)
        assert (
            batch.near.boxes_px.shape[0] == batch.near.labels.shape[0] == len(batch.near.complete) == len(batch.image)
        )
    assert equal(batches, epoch_of(module(source, near_size=64, num_prefetch=2), 0))
    assert not equal(batches, epoch_of(module(source, near_size=64, seed=1), 0))


def test_closer_views_show_what_their_boxes_say(source):
    augment = replace(PLAIN, prob_mirror=0.5)
    near = [batch.near for batch in epoch_of(module(source, near_size=64, augment=augment), 0)]
    whites = [white for seen in near for white in whites_of(seen)]
    assert len(whites) > 10
    assert np.mean(np.array(whites) > 0.99) > 0.9
    assert any((seen.labels == EMPTY).all(1).any() for seen in near)  # some places show no hand


def test_pictures_show_what_their_boxes_say(source):
    """The hands of these frames are white, the rest is darker."""
    augment = replace(PLAIN, zoom=(0.7, 1.8), prob_turned=0.5, rotate_deg=5.0, prob_mirror=0.5)
    whites = [white for batch in epoch_of(module(source, augment=augment), 0) for white in whites_of(batch)]
    assert len(whites) > 20
    assert np.mean(np.array(whites) > 0.99) > 0.9


def test_crops_show_the_hand_they_are_labelled_by(source):
    for batch in epoch_of(module(source, augment=replace(PLAIN, crop_margin=(0.5, 0.5), crop_shift=0.0)), 0):
        assert (batch.crops.image[:, :, 8, 8] == 1).all()
        rows = batch.index[batch.crops.index]
        expected = [set(source.load_frames("train").frame(int(row)).labels.tolist()) for row in rows]
        assert all(int(label) in labels for label, labels in zip(batch.crops.label, expected, strict=True))


def test_a_plain_view_is_the_letterbox_of_its_frame(source):
    train = source.load_frames("train")
    for batch in epoch_of(module(source, augment=PLAIN, image_size=24), 0):
        for image, row, complete in zip(batch.image, batch.index, batch.complete, strict=True):
            frame = train.frame(int(row))
            assert bool(complete) == frame.complete
            if frame.image.shape[:2] == (40, 40):  # no room to lie elsewhere than in the middle
                expected = torch.from_numpy(pad_square(_pil(frame), 24)).permute(2, 0, 1) / 255
                assert torch.allclose(image, expected)


def _pil(frame: Frame):
    from PIL import Image

    return Image.fromarray(frame.image)


def test_every_frame_is_shown_before_one_is_shown_again(source):
    data = module(source, sampler=SceneSampler(num_samples=44))
    index = torch.cat([batch.index for batch in epoch_of(data, 0)])
    assert torch.bincount(index).tolist() == [2] * 22


def test_hands_that_are_cut_off_lose_their_gesture_or_count_no_more(make_frame, make_frames):
    # at twice the size a picture shows 20 x 20 px of the frame, anywhere
    frames = make_frames([make_frame(40, 40, [[0, 12, 14, 28]], [number % 2 * 2]) for number in range(80)])
    augment, seen = replace(PLAIN, zoom=(2.0, 2.0), prob_keep_hand=0.0), set()
    for batch in epoch_of(module(Frames({"train": frames}), augment=augment), 0):
        for corner, labels, row in zip(batch.to_frame[:, :, 2].tolist(), batch.labels, batch.index, strict=True):
            across = max(0.0, 14 - corner[0]) / 14
            down = (min(28.0, corner[1] + 20) - max(12.0, corner[1])) / 16
            gesture = int(row) % 2 * 2
            expected = EMPTY if across * down < 0.25 else -1 if across * down < 0.6 else gesture
            assert labels.tolist() == [expected]
            seen.add(expected)
    assert seen == {EMPTY, -1, 0, 2}


def test_frames_composed_frames_and_further_ones_are_mixed_as_asked_for(source, split):
    others = [Frames({"train": split(3)}), Frames({"train": split(4)})]
    sampler = SceneSampler(num_samples=100, other_fraction=0.3, composed_fraction=0.2)
    data = module(source, others=others, crops=Crops(), sampler=sampler)
    index = torch.cat([batch.index for batch in epoch_of(data, 0)])
    assert len(index) == 100
    assert (index == -1).sum() == 20
    assert ((index >= 22) & (index < 29)).sum() == 30
    assert torch.bincount(index[index >= 22] - 22).tolist() == pytest.approx([30 / 7] * 7, abs=1)


def test_without_others_and_crops_only_frames_are_shown(source):
    index = torch.cat([batch.index for batch in epoch_of(module(source), 0)])
    assert (index >= 0).all()
    assert (index < 22).all()


def test_gestures_are_matched_by_name(source, split):
    other = replace(split(4), classes=("ok", "x", "palm"))
    data = module(source, others=[Frames({"train": other})], crops=Crops())
    (further,) = data.further
    assert further.labels.tolist() == [2 if label == 2 else -1 for label in other.labels]
    assert data.crop_set is not None
    assert data.crop_set.labels.tolist() == [-1, 2, 2, 2, 2, 2]


def test_the_classes_of_composed_hands_are_balanced():
    labels = np.array([0] * 90 + [1] * 10)
    plan = SceneSampler(num_samples=400, composed_fraction=1.0, other_fraction=0.0, power=1.0).plan(
        4, num_frames=10, num_others=0, crop_labels=labels, seed=0, epoch=0
    )
    shown = labels[np.concatenate(plan.crops)]
    assert np.bincount(shown).tolist() == pytest.approx([len(shown) / 2] * 2, abs=1)
    counts = np.array([len(rows) for rows in plan.crops])
    assert counts.min() == 1
    assert counts.max() == 5
    assert (counts == 1).sum() > (counts == 2).sum() > (counts == 5).sum()


def test_epoch_three_is_the_same_fresh_or_reached(source):
    options = {"crops": Crops(), "seed": 5}
    reached = module(source, **options)
    epochs = [epoch_of(reached, epoch) for epoch in range(4)]
    assert equal(epochs[3], epoch_of(module(source, **options), 3))
    assert not equal(epochs[3], epochs[2])
    assert not equal(epochs[3], epoch_of(module(source, **{**options, "seed": 6}), 3))


def test_the_same_frame_is_seen_anew_in_every_epoch_and_at_every_place(make_frame, make_frames):
    data = module(Frames({"train": make_frames([make_frame(40, 40, [[5, 5, 20, 20]], [n % 2 * 2]) for n in range(8)])}))
    maps = torch.cat([batch.to_frame for epoch in range(2) for batch in epoch_of(data, epoch)]).reshape(16, 6)
    assert len(maps.unique(dim=0)) == 16


def test_a_picture_does_not_depend_on_its_batch(source):
    small, large = (epoch_of(module(source, crops=Crops(), batch_size=size), 1) for size in (2, 4))
    one = torch.cat([batch.image for batch in small])[:20]
    two = torch.cat([batch.image for batch in large])[:20]
    assert torch.allclose(one, two, atol=1e-6)
    crops = [torch.cat([batch.crops.image for batch in batches]) for batches in (small, large)]
    common = min(map(len, crops))
    assert torch.allclose(crops[0][:common], crops[1][:common], atol=1e-6)


@pytest.mark.parametrize("num_prefetch", [1, 3])
def test_the_number_of_prefetched_batches_changes_nothing(source, num_prefetch: int):
    plain, ahead = (module(source, crops=Crops(), num_prefetch=number) for number in (0, num_prefetch))
    assert equal(epoch_of(plain, 1), epoch_of(ahead, 1))
    before = threading.active_count()
    unfinished = iter(ahead.train_dataloader())
    next(unfinished)
    unfinished.close()
    assert threading.active_count() == before


@pytest.mark.parametrize("plain_crops", [0, 3])
def test_processes_that_make_the_batches_change_nothing(source, plain_crops: int):
    given = {"crops": Crops(), "plain_crops": plain_crops, "near_size": 64}
    plain, made = (module(source, **given, num_workers=number) for number in (0, 2))
    loader = made.train_dataloader()
    for epoch in (1, 2):  # the same processes make both
        made.set_epoch(epoch)
        assert equal(epoch_of(plain, epoch), list(loader))


def test_processes_share_an_epoch(source):
    data = module(source)
    whole = [batch.index.tolist() for batch in data.train_dataloader()]
    shares = []
    for rank in range(2):
        loader = data.train_dataloader()
        loader._shard = lambda rank=rank: (rank, 2)
        shares.append([batch.index.tolist() for batch in loader])
        assert len(loader) == len(shares[-1]) == len(whole) // 2
    pairs = [batch for pair in zip(*shares, strict=True) for batch in pair]
    assert pairs == whole[: len(pairs)]


def test_nothing_is_mirrored_where_one_source_forbids_it(source, split):
    augment = replace(PLAIN, prob_mirror=1.0)

    def mirrored(**options) -> bool:
        batch = epoch_of(module(source, augment=augment, **options), 0)[0]
        return bool((torch.linalg.det(batch.to_frame[:, :, :2]) < 0).any())

    assert mirrored()
    assert not mirrored(others=[Frames({"train": split(3)}, mirror=False)])
    source.mirror = False
    assert not mirrored()


def test_evaluation_shows_every_frame_once_as_inference_sees_it(source):
    data = module(source)
    batches = list(data.val_dataloader())
    assert len(batches) == len(data.val_dataloader()) == 3
    assert torch.cat([batch.index for batch in batches]).tolist() == list(range(5))
    dev = data.dev
    for batch in batches:
        for row in range(len(batch.index)):
            frame = dev.frame(int(batch.index[row]))
            expected = torch.from_numpy(pad_square(_pil(frame), 32)).permute(2, 0, 1) / 255
            assert torch.allclose(batch.image[row], expected)
            there = batch.labels[row] != EMPTY
            assert batch.labels[row][there].tolist() == frame.labels.tolist()
            assert batch.complete[row] == frame.complete
            corners = batch.boxes_px[row][there].double().reshape(-1, 2, 2)
            back = corners @ batch.to_frame[row, :, :2].double().T + batch.to_frame[row, :, 2].double()
            np.testing.assert_allclose(back.reshape(-1, 4), frame.boxes_px, atol=1e-4)
            crops = batch.crops.label[batch.crops.index == row]
            assert crops.tolist() == frame.labels.tolist()  # one for each hand, in their order
    assert sum(len(batch.labels) for batch in data.test_dataloader()) == 4


def test_frames_without_hands_make_batches_too(make_frame, make_frames, source):
    empty = make_frames([make_frame(30, 20, [], [])] * 2, classes=CLASSES)
    data = module(Frames({"train": source.load_frames("train"), "dev": empty}))
    (batch,) = data.val_dataloader()
    assert batch.labels.tolist() == [[EMPTY], [EMPTY]]
    assert batch.crops.image.shape == (0, 3, 16, 16)
    assert batch.crops.label.dtype == torch.int64


class Recorder(lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 1)
        self.seen: dict[int, list[SpotBatch]] = {}

    def training_step(self, batch: SpotBatch, _: int) -> torch.Tensor:
        self.seen.setdefault(self.current_epoch, []).append(batch)
        return self.layer(batch.image.mean((2, 3))).sum()

    def validation_step(self, batch: SpotBatch, _: int) -> None:
        assert isinstance(batch, SpotBatch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_a_trainer_sees_what_set_epoch_gives(source, tmp_path):
    trainer = lightning.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    model = Recorder()
    trainer.fit(model, datamodule=module(source, crops=Crops()))
    alone = module(source, crops=Crops())
    for epoch in range(2):
        assert equal(model.seen[epoch], epoch_of(alone, epoch))


def test_fingerprint_follows_everything_that_is_trained_on(source, split):
    other = Frames({"train": replace(split(3), fingerprint="other")})
    prints = {module(source, **options).fingerprint for options in ({}, {"others": [other]}, {"crops": Crops()})}
    assert len(prints) == 3
    assert module(source, seed=3).fingerprint in prints


def test_wrong_settings(source, make_frame, make_frames):
    for options, message in (({"image_size": 0}, "image_size=0"), ({"crops_per_frame": 0}, "crops_per_frame=0")):
        with pytest.raises(ValueError, match=message):
            module(source, **options)
    for options, message in (
        ({"other_fraction": 0.7, "composed_fraction": 0.4}, "sum to 1 at most"),
        ({"other_fraction": -0.1}, "other_fraction=-0.1"),
        ({"most_hands": 0}, "most_hands=0"),
        ({"num_samples": 0}, "num_samples=0"),
    ):
        with pytest.raises(ValueError, match=message):
            SceneSampler(**options)
    one = make_frames([make_frame(40, 40, [[5, 5, 20, 20]], [0])], classes=CLASSES)
    with pytest.raises(ValueError, match=r"too few gestures \(fist\)"):
        module(Frames({"train": one, "dev": one})).setup("fit")


@pytest.mark.slow
def test_a_hundred_and_twenty_pictures_of_192_pixels_a_second_on_one_core():
    import time

    random = np.random.default_rng(0)
    frames = [
        Frame(
            image=random.integers(0, 256, (512, 384, 3), dtype=np.uint8),
            boxes_px=np.array([[100, 120, 190, 240]], np.float32),
            labels=np.array([number % 2 * 2], np.int64),
            landmarks_px=np.full((1, 21, 2), np.nan, np.float32),
            complete=True,
        )
        for number in range(64)
    ]
    train = FrameSet(
        name="made",
        classes=CLASSES,
        ids=tuple(map(str, range(64))),
        fingerprint="",
        pixels=np.concatenate([frame.image.reshape(-1) for frame in frames]),
        sizes_px=np.array([[512, 384]] * 64),
        num_hands=np.ones(64, np.int64),
        boxes_px=np.concatenate([frame.boxes_px for frame in frames]),
        labels=np.concatenate([frame.labels for frame in frames]),
        landmarks_px=np.concatenate([frame.landmarks_px for frame in frames]),
        complete=np.ones(64, bool),
        frame_labels=np.zeros(64, np.int64),
    )
    sampler = SceneSampler(num_samples=256)
    data = SpotData(source=Frames({"train": train}), crops=Crops(), sampler=sampler)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        epoch_of(data, 0)
        start = time.process_time()
        epoch_of(data, 1)
        assert 256 / (time.process_time() - start) >= 120
    finally:
        torch.set_num_threads(threads)


def test_composers_take_hands_of_unknown_gestures_too(source):
    data = module(source, crops=Crops())
    assert isinstance(data._composer(), Composer)
    sampler = SceneSampler(num_samples=40, composed_fraction=1.0, other_fraction=0.0)
    labels = torch.cat([batch.crops.label for batch in epoch_of(module(source, crops=Crops(), sampler=sampler), 0)])
    assert set(labels.tolist()) == {-1, 2}
