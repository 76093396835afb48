"""Quantizer: what comes back predicts, is saved without a float copy, and loads bit for bit."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

pytest.importorskip("executorch")

from openautoglm import AutoModel, Quantizer
from openautoglm.artifacts import build_model, model_config

CLASSES = ("fist", "ok", "palm", "peace")


@pytest.fixture(scope="module")
def images():
    torch.manual_seed(1)
    return [torch.rand(8, 3, 64, 64) for _ in range(4)]


@pytest.fixture(scope="module")
def model(images):
    """A net whose BatchNorm statistics are those of the pictures, so that its outputs mean something."""
    torch.manual_seed(0)
    net = build_model(
        model_config("openautoglm-test", {"num_classes": 4, "image_size": 64}, classes=CLASSES, image_size=64)
    )
    for image in images * 5:
        net(image)
    return net.eval()


@torch.no_grad()
def quantize(model, images, method):
    quantizer = Quantizer()
    if method == "static":
        return quantizer.static_quantize(model, calibration=images)
    if method == "mixed":
        return quantizer.static_quantize(model, calibration=images, float_layers=2)
    if method == "dynamic":
        return quantizer.dynamic_quantize(model, dtype="int8")
    return quantizer.quantize_weights(model, dtype=method, group_size=16)


@pytest.fixture(scope="module")
def quantized(model, images):
    """Each method's net, made once; no test changes it."""
    return cache(lambda method: quantize(model, images, method))


@pytest.fixture(scope="module")
def ranked(model, images):
    return Quantizer().sensitivity(model, calibration=images)


def relative_error(found, expected):
    with torch.no_grad():
        return float((found - expected).square().sum() / expected.square().sum())


@pytest.mark.parametrize(
    ("method", "limit"), [("static", 0.05), ("mixed", 0.05), ("dynamic", 0.05), ("int8", 1e-3), ("int4", 0.3)]
)
def test_it_predicts_nearly_the_same_and_loads_bit_for_bit(model, images, quantized, tmp_path, method, limit):
    net = quantized(method)
    found, expected = net(images[0]), model(images[0])
    assert 0 < relative_error(found, expected) < limit
    artifact = net.save(tmp_path / "net")
    loaded = AutoModel.from_pretrained(tmp_path / "net")
    assert torch.equal(loaded(images[0]), found)
    assert loaded.scheme == net.scheme
    assert artifact.config["classes"] == list(CLASSES)
    again = AutoModel.save_pretrained(loaded, tmp_path / "again")
    assert load_file(again.weights).keys() == load_file(artifact.weights).keys()


@pytest.mark.parametrize("method", ["static", "dynamic", "int8"])
def test_no_float_copy_of_the_weights_travels(quantized, tmp_path, method):
    tensors = load_file(quantized(method).save(tmp_path / "net").weights)
    heavy = {name: tensor for name, tensor in tensors.items() if tensor.ndim > 1 and not name.endswith(".scale")}
    floats = [name for name, tensor in heavy.items() if tensor.is_floating_point()]
    assert len(heavy) > 10
    # no runtime has a dynamic kernel for depthwise convolutions, nor a right one behind a reshape
    assert method == "dynamic" or floats == []
    assert [name for name in floats if ".local." not in name and ".attention.branch.out." not in name] == []


def test_int4_is_half_of_int8(quantized):
    int4, int8 = map(quantized, ("int4", "int8"))
    packed = {name: how for name, how in int4.spec["weights"].items() if how["bits"] == 4}
    assert "classifier.weight" in packed
    for name in packed:
        assert int4.tensors[name].nbytes == -(-int8.tensors[name].shape[1] // 2) * len(int8.tensors[name])
    assert any(how["shape"][2:] == [3, 3] for how in int4.spec["weights"].values())
    assert all(how["shape"][2:] in ([], [1, 1]) for how in packed.values())


def test_the_most_sensitive_layers_stay_float(model, images, quantized, ranked):
    errors = [row.weight_error for row in ranked]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] >= 0
    mixed, whole = quantized("mixed"), quantized("static")
    for row in ranked[:2]:
        assert mixed.tensors[f"{row.layer}.weight"].is_floating_point()
        assert whole.tensors[f"{row.layer}.weight"].dtype == torch.int8
    assert mixed.size_kb > whole.size_kb
    named = Quantizer().static_quantize(model, calibration=images, float_layers=[row.layer for row in ranked[:2]])
    assert torch.equal(named(images[0]), mixed(images[0]))


def test_all_layers_in_float_leave_only_the_rounding_of_activations(model, images, quantized, ranked):
    every = Quantizer().static_quantize(model, calibration=images, float_layers=len(ranked))
    assert all(tensor.is_floating_point() for name, tensor in every.tensors.items() if name.endswith("weight"))
    whole, expected = quantized("static"), model(images[0])
    assert relative_error(every(images[0]), expected) < relative_error(whole(images[0]), expected)


def test_calibration_on_other_pictures_is_worse(model, images, quantized):
    dark = Quantizer().static_quantize(model, calibration=[0.02 * image for image in images])
    right, expected = quantized("static"), model(images[0])
    assert relative_error(dark(images[0]), expected) > 4 * relative_error(right(images[0]), expected)


def test_qat_goes_on_from_the_model(model, images, tmp_path):
    quantizer = Quantizer()
    qat = quantizer.prepare_qat(model)
    qat.train()
    optimizer = torch.optim.SGD(qat.parameters(), 1e-3)
    for image in images:
        nn.functional.cross_entropy(qat(image), torch.arange(8) % 4).backward()
        optimizer.step()
    quantized = quantizer.convert(qat.eval())
    quantized.save(tmp_path / "net")
    assert torch.equal(AutoModel.from_pretrained(tmp_path / "net")(images[0]), quantized(images[0]))


def test_a_net_for_whole_frames_keeps_its_glance(images, tmp_path):
    torch.manual_seed(0)
    arguments = {"num_classes": 4, "image_size": 64, "glance_size": 64}
    net = build_model(model_config("openautoglm-test", arguments, classes=CLASSES, image_size=64)).eval()
    quantized = Quantizer().static_quantize(net, calibration=images)
    quantized.save(tmp_path / "net")
    loaded = AutoModel.from_pretrained(tmp_path / "net")
    for found, expected, original in zip(
        loaded.glance(images[0]), quantized.glance(images[0]), net.glance(images[0]), strict=True
    ):
        assert torch.equal(found, expected)
        assert found.shape == original.shape


def test_pictures_come_as_a_loader_yields_them(model, images, quantized):
    pairs = [(image, torch.zeros(8, dtype=torch.long)) for image in images]
    found = Quantizer().static_quantize(model, calibration=pairs)(images[0])
    assert torch.equal(found, quantized("static")(images[0]))


def test_the_model_is_left_alone(model, images):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for method in ("static", "dynamic", "int4"):
        quantize(model, images, method)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_what_cannot_be_done_is_refused_in_one_sentence(model, images):
    quantizer = Quantizer()
    cases = [
        (lambda: quantizer.dynamic_quantize(model, dtype="int2"), "int2.*int4"),
        (lambda: quantizer.static_quantize(model, calibration=images, dtype="int4"), "makes int8.*quantize_weights"),
        (lambda: quantizer.quantize_weights(model, dtype="int2"), "int4 or int8"),
        (lambda: quantizer.quantize_weights(model, group_size=0), "group_size"),
        (lambda: quantizer.quantize_weights(nn.Conv2d(3, 8, 3), dtype="int4"), "linear layers and 1x1"),
        (lambda: quantizer.static_quantize(model, calibration=[]), "no pictures"),
        (lambda: quantizer.static_quantize(model, calibration=[torch.zeros(3, 64, 64)]), "b, 3, h, w"),
        (lambda: quantizer.static_quantize(model, calibration=images, ranges="median"), "percentile"),
        (lambda: quantizer.static_quantize(model, calibration=images, float_layers=["stem"]), "rounds no weight"),
        (lambda: quantizer.static_quantize(model, calibration=[image * torch.nan for image in images]), "not finite"),
        (lambda: quantizer.dynamic_quantize(quantizer.quantize_weights(model)), "already"),
        (lambda: quantizer.dynamic_quantize(nn.Linear(2, 2)), "example"),
    ]
    for attempt, words in cases:
        with pytest.raises(ValueError, match=words) as found:
            attempt()
        assert "\n" not in str(found.value)


def test_a_model_built_by_hand_predicts_but_is_not_saved(images, tmp_path):
    net = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 31 * 31, 2)).eval()
    quantized = Quantizer().static_quantize(net, calibration=images)
    assert relative_error(quantized(images[0]), net(images[0])) < 0.05
    with pytest.raises(ValueError, match="no config"):
        quantized.save(tmp_path / "net")
    with pytest.raises(ValueError, match="no config"):
        AutoModel.save_pretrained(net, tmp_path / "net")
    assert not (tmp_path / "net").exists()
