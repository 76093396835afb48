from dataclasses import fields

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from openautoglm.data import Augment
from openautoglm.data.transforms import _grid, content_boxes, to_float

OFF = {
    field.name: (1.0, 1.0) if field.name == "scale" else 0.0
    for field in fields(Augment)
    if field.name not in ("enabled", "blur_px", "noise", "erase")
}


def pictures(count: int = 12, side: int = 32) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def run(augment: Augment, images: np.ndarray, rows=None, **options) -> torch.Tensor:
    rows = np.arange(len(images)) if rows is None else rows
    options = {"seed": 0, "epoch": 0, "draw": np.zeros(len(rows), np.int64), **options}
    return augment(images, index=rows, **options)


def test_float_layout():
    image = to_float(pictures(2))
    assert image.shape == (2, 3, 32, 32)
    assert image.dtype == torch.float32
    assert torch.equal(image[1, 2, 5, 6], torch.tensor(pictures(2)[1, 5, 6, 2] / 255).float())


def test_all_off_is_the_picture_itself():
    images = pictures()
    assert torch.allclose(run(Augment(**OFF), images), to_float(images), atol=2e-6)
    assert torch.equal(run(Augment(enabled=False), images), to_float(images))


def test_a_picture_does_not_depend_on_its_batch():
    images = pictures()
    augment = Augment(prob_coarse=0.5, prob_blur=0.5, prob_noise=0.5, prob_erase=0.5)
    whole = run(augment, images, pool=images)
    part = np.array([7, 2, 11])
    assert torch.allclose(run(augment, images[part], rows=part, pool=images), whole[part], atol=1e-6)


def test_it_depends_on_seed_epoch_row_and_draw():
    images = np.repeat(pictures(1), 2, axis=0)
    first = run(Augment(), images)
    assert torch.equal(run(Augment(), images), first)
    assert not torch.allclose(first[0], first[1], atol=0.01)
    for change in ({"seed": 1}, {"epoch": 1}, {"draw": np.ones(2, np.int64)}):
        assert not torch.allclose(run(Augment(), images, **change)[0], first[0], atol=0.01)


def test_range_and_finite():
    out = run(Augment(), pictures(64), pool=pictures(3))
    assert out.shape == (64, 3, 32, 32)
    assert out.min() >= 0
    assert out.max() <= 1
    assert torch.isfinite(out).all()
    assert out.std() > 0.1


def test_mirror_only_where_it_keeps_the_label():
    images = pictures(40)
    augment = Augment(**{**OFF, "prob_mirror": 0.5})
    out, plain = run(augment, images), to_float(images)
    mirrored = [torch.allclose(one, two.flip(-1), atol=1e-5) for one, two in zip(out, plain, strict=True)]
    same = [torch.allclose(one, two, atol=1e-5) for one, two in zip(out, plain, strict=True)]
    assert 10 < sum(mirrored) < 30
    assert sum(mirrored) + sum(same) == 40
    assert torch.allclose(run(augment, images, mirror=False), plain, atol=1e-5)


def test_scale_below_one_shows_padding_round_the_content():
    white = np.full((4, 40, 40, 3), 255, np.uint8)
    out = run(Augment(**{**OFF, "scale": (0.5, 0.5)}), white)
    assert torch.allclose(out[:, :, 10:30, 10:30].mean(), torch.tensor(1.0), atol=1e-4)
    assert torch.allclose(out[:, :, :9], torch.tensor(128 / 255))


def test_background_replaces_padding_and_leaves_the_content():
    images = np.full((30, 40, 40, 3), 128, np.uint8)
    images[:, :, 10:30] = 255
    pool = np.zeros((1, 40, 40, 3), np.uint8)
    out = run(Augment(**{**OFF, "prob_background": 1.0}), images, pool=pool)
    assert torch.allclose(out[:, :, :, 10:30], torch.tensor(1.0), atol=1e-5)
    outside = out[:, :, 20, 3]
    black = (outside == 0).all(1)
    assert 5 < black.sum() < 25  # the others are colours
    assert len(outside[~black].unique()) > 3


def test_content_box():
    images = np.full((3, 10, 10, 3), 128, np.uint8)
    images[0, 2:5, :, 0] = 7
    images[1, :, 9] = 7
    assert content_boxes(images).round(4).tolist() == [
        pytest.approx([-1, -0.6, 1, 0]),
        pytest.approx([0.8, -1, 1, 1]),
        [-1, -1, 1, 1],
    ]


def test_grid_is_torchs():
    affine = torch.randn(4, 2, 3)
    assert torch.allclose(_grid(affine, 9), F.affine_grid(affine, [4, 3, 9, 9], align_corners=False), atol=1e-5)


def test_grey_pictures_stay_grey_without_colour_gains():
    grey = np.repeat(np.random.default_rng(0).integers(0, 256, (5, 16, 16, 1), dtype=np.uint8), 3, axis=3)
    out = run(Augment(**{**OFF, "brightness": 0.3, "saturation": 0.5, "hue_deg": 40.0, "gamma": 0.4}), grey)
    assert torch.allclose(out[:, 0], out[:, 2], atol=1e-4)


@pytest.mark.parametrize("name", ["prob_coarse", "prob_blur"])
def test_low_resolution_and_blur_smooth(name: str):
    images = pictures(6)
    out, plain = run(Augment(**{**OFF, name: 1.0}), images), to_float(images)
    assert (out.diff(dim=-1).abs().mean((1, 2, 3)) < 0.8 * plain.diff(dim=-1).abs().mean((1, 2, 3))).all()
    assert torch.allclose(out.mean((1, 2, 3)), plain.mean((1, 2, 3)), atol=0.03)


def test_noise_and_erasing():
    grey = np.full((20, 32, 32, 3), 100, np.uint8)
    noisy = run(Augment(**{**OFF, "prob_noise": 1.0}), grey)
    assert 0.005 < noisy.std() < 0.06
    erased = run(Augment(**{**OFF, "prob_erase": 1.0}), grey)
    touched = ((erased - 100 / 255).abs() > 1e-3).any(1).float().mean((1, 2))
    assert (touched > 0.005).all()
    assert (touched <= 0.17).all()


def test_developing_moves_nothing():
    images = np.full((40, 32, 32, 3), 60, np.uint8)
    images[:, 8:20, 10:24] = 200
    options = {"index": np.arange(40), "draw": np.zeros(40, np.int64), "seed": 0, "epoch": 0}
    out = Augment(prob_coarse=0.0, prob_blur=0.0, prob_noise=0.0).develop(images, **options)
    hand, ground = out[:, :, 8:20, 10:24], out[:, :, 21:, :]
    assert hand.std((2, 3)).max() < 1e-4
    assert ground.std((2, 3)).max() < 1e-4
    assert (hand.mean((1, 2, 3)) > ground.mean((1, 2, 3))).all()
    assert hand.mean((1, 2, 3)).std() > 0.05
    default = Augment().develop(images, **options)
    part = {**options, "index": np.array([7, 3]), "draw": np.zeros(2, np.int64)}
    assert torch.allclose(Augment().develop(images[:2], **part), default[[7, 3]], atol=1e-6)
    for change in ({"epoch": 1}, {"seed": 1}, {"draw": np.ones(40, np.int64)}):
        assert not torch.allclose(Augment().develop(images, **{**options, **change}), default, atol=0.01)
    assert torch.equal(Augment(enabled=False).develop(images, **options), to_float(images))


def test_wrong_scale():
    with pytest.raises(ValueError, match="scale"):
        Augment(scale=(1.2, 0.8))
