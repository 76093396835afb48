"""Sparse weights: which, how many at which step, and that they stay zero."""

from __future__ import annotations

import lightning
import pytest
import torch
from torch import nn

from openautoglm.compress.sparsity import (
    KeepZeros,
    Sparsify,
    cubic_share,
    magnitude_mask,
    two_of_four_mask,
    zero_share,
)


def test_cubic_by_hand():
    shares = [cubic_share(step, num_steps=4, share=0.8) for step in (0, 1, 2, 4, 9)]
    assert shares == pytest.approx([0.0, 0.8 * 37 / 64, 0.7, 0.8, 0.8])


def test_magnitude_by_hand():
    weight = torch.tensor([[3.0, -1.0], [0.5, -4.0]])
    assert magnitude_mask(weight, 0.5).tolist() == [[True, False], [False, True]]
    assert magnitude_mask(weight, 0.0).all()


def test_two_of_four_by_hand():
    weight = torch.tensor([[1.0, -5.0, 3.0, 2.0, 0.0, 0.0, 7.0, -0.1]])
    expected = [[False, True, True, False, False, False, True, True]]
    assert two_of_four_mask(weight).tolist() == expected
    # a kernel's positions are each a row of inputs of their own
    kernel = torch.stack([weight, weight.flip(1)], dim=-1)[..., None]
    assert two_of_four_mask(kernel)[..., 0, 0].tolist() == expected
    assert two_of_four_mask(kernel)[..., 1, 0].tolist() == [expected[0][::-1]]


def test_two_of_four_refuses_other_widths():
    with pytest.raises(ValueError, match=r"a multiple of 4, got a weight of \(2, 3\)"):
        two_of_four_mask(torch.rand(2, 3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pattern": "one_of_two"}, "pattern must be one of magnitude, two_of_four"),
        ({"pattern": "two_of_four", "share": 0.5}, "leave it out"),
        ({"share": 1.0}, "share must lie between 0 and 1, got 1.0"),
        ({"until": 0.0}, "until must lie above 0"),
        ({"every": 0}, "every be at least 1"),
    ],
)
def test_refusals(arguments, message):
    with pytest.raises(ValueError, match=message):
        Sparsify(**arguments)


class _Lit(lightning.LightningModule):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.shares: list[float] = []

    def training_step(self, batch, _):
        self.shares.append(zero_share(self.model))
        return self.model(batch).square().mean()

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 1e-2)


def fitted(model, callback, tmp_path, steps=12):
    torch.manual_seed(0)
    lit = _Lit(model)
    trainer = lightning.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
        callbacks=[callback],
    )
    trainer.fit(lit, torch.utils.data.DataLoader(torch.rand(2 * steps, 3, 8, 8), batch_size=2))
    return lit


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 20, 1), nn.Conv2d(20, 4, 1))


def test_more_and_more_weights_become_zero(tmp_path):
    model = net()
    lit = fitted(model, Sparsify(share=0.75, until=0.5, every=2), tmp_path)
    assert lit.shares == sorted(lit.shares)
    assert lit.shares[0] == 0.0
    assert 0.3 < lit.shares[4] < 0.75
    assert lit.shares[9] == pytest.approx(0.75)
    assert zero_share(model) == pytest.approx(0.75)
    assert not (model[1].weight == 0).any()


def test_two_of_four_from_the_first_step_on(tmp_path):
    model = net()
    before = [two_of_four_mask(model[place].weight) for place in (2, 3)]
    lit = fitted(model, Sparsify(pattern="two_of_four"), tmp_path)
    for place, mask in zip((2, 3), before, strict=True):
        assert torch.equal(model[place].weight != 0, mask)
    assert not (model[0].weight == 0).any()  # three inputs
    assert lit.shares[1] == zero_share(model)


def test_zeros_stay_and_others_move(tmp_path):
    model = net()
    with torch.no_grad():
        model[2].weight.mul_(magnitude_mask(model[2].weight, 0.5))
    before = model[2].weight.detach().clone()
    fitted(model, KeepZeros(), tmp_path)
    assert torch.equal(model[2].weight == 0, before == 0)
    assert not torch.equal(model[2].weight, before)


def test_zeros_are_zeros_of_the_int8_program(tiny_model, images):
    pytest.importorskip("executorch")
    from openautoglm.compress.pt2e import prepare_qat
    from openautoglm.compress.state import quantized_state
    from openautoglm.export.backend import xnnpack_quantizer

    model = tiny_model()
    with torch.no_grad():
        model.head[0].weight.mul_(two_of_four_mask(model.head[0].weight))
    qat = prepare_qat(model, images(2), xnnpack_quantizer(), batch_norm="fold").train()
    qat(images(8))
    qat.freeze()
    tensors, spec = quantized_state(qat.eval())
    (name,) = (name for name in spec["weights"] if tensors[name].shape == model.head[0].weight.shape)
    assert (tensors[name][model.head[0].weight == 0] == 0).all()
