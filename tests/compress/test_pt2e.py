"""QAT: modes, freezing, resuming, and numbers that survive conversion and storage."""

from __future__ import annotations

import copy
import json

import lightning
import pytest
import torch
from torch import nn

pytest.importorskip("executorch")

from openautoglm.compress import graph as surgery
from openautoglm.compress.pt2e import QATModel, convert, prepare_qat
from openautoglm.compress.state import load_quantized, quantized_state
from openautoglm.export.backend import xnnpack_quantizer


@pytest.fixture(scope="module")
def prepared():
    """One preparation for all tests of this file; each takes a copy."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1, bias=False),
        nn.BatchNorm2d(8, momentum=0.3, eps=1e-3),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, 1, 1, groups=8),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.25),
        nn.Linear(8 * 16, 4),
    )
    with torch.no_grad():
        for _ in range(20):
            model(torch.rand(16, 3, 8, 8) * 2 - 0.5)
    return model, {
        mode: prepare_qat(model, torch.rand(2, 3, 8, 8), xnnpack_quantizer(), batch_norm=mode)
        for mode in ("train", "fold")
    }


@pytest.fixture(params=["train", "fold"])
def qat(request, prepared) -> QATModel:
    return copy.deepcopy(prepared[1][request.param])


def step(qat: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> float:
    torch.manual_seed(seed)
    loss = nn.functional.cross_entropy(qat(torch.rand(9, 3, 8, 8)), torch.arange(9) % 4)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def train(qat: nn.Module, seeds: range) -> nn.Module:
    qat.train()
    optimizer = torch.optim.SGD(qat.parameters(), 1e-2)
    for seed in seeds:
        step(qat, optimizer, seed)
    return qat


def test_evaluation_before_any_step_is_the_float_model(prepared, qat):
    image = torch.rand(5, 3, 8, 8)
    expected = copy.deepcopy(prepared[0]).eval()(image)
    torch.testing.assert_close(qat.eval()(image), expected, atol=1e-5, rtol=1e-5)


def test_preparation_leaves_the_model_alone(prepared):
    model = copy.deepcopy(prepared[0])
    before = {name: value.clone() for name, value in model.state_dict().items()}
    train(prepare_qat(model, torch.rand(2, 3, 8, 8), xnnpack_quantizer(), batch_norm="fold"), range(1))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_settings_of_batch_norm_and_dropout_survive_toggling(prepared):
    qat = copy.deepcopy(prepared[1]["train"])
    for _ in range(3):
        qat.train()(torch.rand(4, 3, 8, 8))
        qat.eval()(torch.rand(4, 3, 8, 8))
    qat.train()(torch.rand(4, 3, 8, 8))
    settings = surgery.batch_norm_settings(qat.graph)
    assert sorted(settings.values()) == [(0.1, 1e-5), (0.3, 1e-3)]
    dropout = [n.args[1:] for n in qat.graph.graph.nodes if n.target is torch.ops.aten.dropout.default]
    assert dropout == [(0.25, True)]


def test_evaluation_moves_nothing(qat):
    train(qat, range(2))
    qat.eval()(torch.rand(4, 3, 8, 8))
    before = {name: value.clone() for name, value in qat.state_dict().items()}
    qat(torch.rand(4, 3, 8, 8) * 100)
    assert all(torch.equal(value, before[name]) for name, value in qat.state_dict().items())


def test_mode_follows_the_flag_set_without_train(qat):
    """Lightning restores ``training`` by assignment."""
    train(qat, range(2)).eval()(torch.rand(4, 3, 8, 8))
    scales = [module.scale.clone() for _, module in surgery.quantizer_nodes(qat.graph)]
    for module in qat.modules():
        module.training = True
    qat(torch.rand(4, 3, 8, 8) * 100)
    now = [module.scale for _, module in surgery.quantizer_nodes(qat.graph)]
    assert any(not torch.equal(old, new) for old, new in zip(scales, now, strict=True))


def test_freezing_lasts(qat):
    train(qat, range(2))
    qat.freeze()
    fixed = {
        name: value.clone()
        for name, value in qat.named_buffers()
        if name.endswith(("scale", "zero_point", "running_mean"))
    }
    assert fixed
    weights = [value.detach().clone() for value in qat.parameters()]
    qat.eval()
    loaded = copy.deepcopy(qat)
    loaded.frozen.fill_(False)
    loaded.load_state_dict(qat.state_dict())
    for model in (qat, loaded):
        assert model.is_frozen
        train(model, range(2, 4))
        buffers = dict(model.named_buffers())
        assert all(torch.equal(buffers[name], value) for name, value in fixed.items())
        assert any(not torch.equal(old, new) for old, new in zip(weights, model.parameters(), strict=True))


def test_resuming_is_exact_bit_for_bit(prepared, qat, tmp_path):
    mode = "train" if surgery.batch_norm_settings(qat.graph) else "fold"
    train(qat, range(3)).eval()(torch.rand(4, 3, 8, 8))
    torch.save(qat.state_dict(), tmp_path / "state.pt")
    whole = train(qat, range(3, 6))
    resumed = prepare_qat(prepared[0], torch.rand(2, 3, 8, 8), xnnpack_quantizer(), batch_norm=mode)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    train(resumed, range(3, 6))
    expected = whole.state_dict()
    assert resumed.state_dict().keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in resumed.state_dict().items())


def test_converted_computes_what_training_saw(qat):
    train(qat, range(3)).eval()
    image = torch.rand(6, 3, 8, 8)
    before = {name: value.clone() for name, value in qat.state_dict().items()}
    converted = convert(qat)
    scale = next(reversed([m.scale for _, m in surgery.quantizer_nodes(qat.graph)])).max().item()
    assert (converted(image) - qat(image)).abs().max().item() <= 1.01 * scale
    assert converted(image).shape == (6, 4)
    assert torch.equal(converted(image), convert(qat, fold_quantize=False)(image))
    assert all(torch.equal(value, before[name]) for name, value in qat.state_dict().items() if "enabled" not in name)
    assert not any("batch_norm" in str(node.target) for node in converted.graph.nodes)


def test_channels_of_one_sign_keep_zero_point_zero():
    """torchao's fused quantiser gives them -127, which XNNPACK refuses."""
    model = nn.Sequential(nn.Conv2d(3, 4, 1))
    nn.init.uniform_(model[0].weight, 0.1, 1.0)
    qat = train(_with_head(model), range(2))
    tensors, spec = quantized_state(qat)
    name = next(name for name in spec["weights"] if tensors[name].dim() == 4)
    assert not tensors[f"{name}.zero_point"].any()
    assert tensors[name].amax(dim=(1, 2, 3)).eq(127).all()


def _with_head(model: nn.Module) -> QATModel:
    net = nn.Sequential(model, nn.Flatten(), nn.Linear(4 * 64, 4))
    return prepare_qat(net, torch.rand(2, 3, 8, 8), xnnpack_quantizer())


def test_dead_channels_stay_finite():
    """A BatchNorm weight of zero is 0 / 0 in torchao's formula."""
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 1))
    with torch.no_grad():
        model[1].weight[1] = 0.0
        model[2].weight[2] = 0.0
    qat = train(_with_head(model), range(2)).eval()
    image = torch.rand(3, 3, 8, 8)
    assert torch.isfinite(qat(image)).all()
    assert torch.isfinite(convert(qat)(image)).all()


@pytest.mark.parametrize("fold_quantize", [True, False])
def test_stored_and_loaded_model_converts_to_the_same_bits(prepared, qat, fold_quantize):
    train(qat, range(3))
    image = torch.rand(6, 3, 8, 8)
    tensors, spec = quantized_state(qat)
    spec = json.loads(json.dumps(spec))
    fresh = copy.deepcopy(prepared[0])
    for value in fresh.parameters():
        nn.init.normal_(value)
    loaded = load_quantized(fresh, tensors, spec, xnnpack_quantizer())
    assert loaded.is_frozen
    expected, found = (convert(model, fold_quantize=fold_quantize)(image) for model in (qat, loaded))
    assert torch.equal(expected, found)


def test_stored_weights_are_integers_only(qat):
    train(qat, range(1))
    tensors, spec = quantized_state(qat)
    assert len(spec["weights"]) == 3
    for name in spec["weights"]:
        assert tensors[name].dtype == torch.int8
    floats = {name for name, tensor in tensors.items() if tensor.is_floating_point()}
    assert all(name.endswith((".scale", ".bias")) for name in floats)


def test_foreign_weights_are_refused(prepared, qat):
    train(qat, range(1))
    tensors, spec = quantized_state(qat)
    other = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 4))
    with pytest.raises(ValueError, match="do not belong to this model"):
        load_quantized(other, tensors, spec, xnnpack_quantizer())
    missing = {name: tensor for name, tensor in tensors.items() if not name.endswith("8.weight")}
    with pytest.raises(ValueError, match=r"no tensor .*8\.weight"):
        load_quantized(prepared[0], missing, spec, xnnpack_quantizer())
    with pytest.raises(ValueError, match="format 99"):
        load_quantized(prepared[0], tensors, spec | {"format": 99}, xnnpack_quantizer())


def test_wrong_mode_is_refused(prepared):
    with pytest.raises(ValueError, match="'train' or 'fold'"):
        prepare_qat(prepared[0], torch.rand(2, 3, 8, 8), xnnpack_quantizer(), batch_norm="none")


def test_open_size(tiny_model):
    qat = prepare_qat(tiny_model(), torch.rand(1, 3, 64, 64), xnnpack_quantizer(), dynamic_size=True).train()
    qat(torch.rand(3, 3, 64, 64))
    qat.eval()
    converted = convert(qat)
    assert converted(torch.rand(1, 3, 96, 96)).shape == converted(torch.rand(4, 3, 64, 64))[:1].shape


class _Lit(lightning.LightningModule):
    def __init__(self, qat: QATModel) -> None:
        super().__init__()
        self.qat = qat

    def training_step(self, batch, _):
        return nn.functional.cross_entropy(self.qat(batch[0]), batch[1])

    def validation_step(self, batch, _):
        self.qat(batch[0])

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 1e-2)


def test_trains_in_lightning(qat, tmp_path):
    rows = [(torch.rand(3, 8, 8), i % 4) for i in range(10)]
    loader = torch.utils.data.DataLoader(rows, batch_size=4)
    trainer = lightning.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    module = _Lit(qat)
    trainer.fit(module, loader, loader)
    frozen = copy.deepcopy(module.qat)
    frozen.freeze()
    assert torch.isfinite(convert(frozen)(torch.rand(3, 3, 8, 8))).all()
    assert module.training
