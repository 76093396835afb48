"""Structured pruning: the smaller net is the old one with channels closed; what it is made of is plain data."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from openautoglm.artifacts import load_model, model_config, save_model
from openautoglm.bench.cost import count_macs
from openautoglm.compress.channels import find_groups
from openautoglm.compress.importance import IMPORTANCES, importance_of
from openautoglm.compress.prune import close_channels, prune_channels
from openautoglm.models import create_model

SIZES = {"dims": (16, 24, 32, 32, 40), "depths": (2, 2, 1), "num_heads": 4, "head_dim": 48}
GLANCE = {"glance_size": 64, "glance_dim": 16, "fusion": "mean"}
NETS = {
    "test": {},
    "deeper": SIZES,
    "frames": {**SIZES, **GLANCE},
    "exits": {**SIZES, "exit_stages": [2, 3], "exit_dim": 12},
}


def trained(images, **arguments):
    """A net whose channels differ in weight, scale and statistics, as training leaves them."""
    torch.manual_seed(0)
    net = create_model("openautoglm-test", num_classes=5, image_size=64, **arguments)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.2, 2.0)
            nn.init.normal_(module.bias, std=0.3)
    with torch.no_grad():
        for seed in range(20):
            net(images(8, seed))
    return net.eval()


def losses(images):
    return [lambda net: nn.functional.cross_entropy(net(images(10)), torch.arange(10) % 5)]


@pytest.mark.parametrize("arguments", NETS.values(), ids=NETS)
@pytest.mark.parametrize("kind", IMPORTANCES)
def test_computes_what_the_old_net_does_with_channels_closed(images, arguments, kind):
    net = trained(images, **arguments)
    pruned = prune_channels(net, macs_ratio=0.6, importance=kind, batches=losses(images), multiple_of=4)
    closed = copy.deepcopy(net)
    close_channels(closed, pruned.kept)
    image = images(6, 99)
    smaller, larger = (sum(p.numel() for p in one.parameters()) for one in (pruned.model, net))
    assert smaller < larger
    assert torch.allclose(pruned.model(image), closed(image), atol=1e-5)
    assert not torch.allclose(pruned.model(image), net(image), atol=1e-2)
    if net.glance_head is not None:
        for one, other in zip(closed.glance(image), pruned.model.glance(image), strict=True):
            assert torch.allclose(one, other, atol=1e-5)
    for one, other in zip(closed.all_exits(image), pruned.model.all_exits(image), strict=True):
        assert torch.allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("ratio", [0.9, 0.5, 0.3])
def test_multiply_adds_are_those_of_the_net(images, ratio):
    net = trained(images, **SIZES)
    pruned = prune_channels(net, macs_ratio=ratio, multiple_of=4)
    image = torch.zeros(1, 3, 64, 64)
    assert pruned.macs_before == count_macs(lambda: net(image))[0]
    assert pruned.macs == count_macs(lambda: pruned.model(image))[0]
    assert pruned.macs <= ratio * pruned.macs_before


def test_widths_are_multiples_and_no_group_is_emptied(images):
    arguments = prune_channels(trained(images, **SIZES), macs_ratio=0.5, multiple_of=8).model.arguments
    assert not [width for width in (*arguments["dims"], *arguments["hidden"], arguments["head_dim"]) if width % 8]
    assert all(new >= old / 4 for new, old in zip(arguments["dims"], SIZES["dims"], strict=True))


def test_whole_blocks_leave_when_they_are_at_their_floor(images):
    net = trained(images, **SIZES)
    smallest = prune_channels(net, macs_ratio=0.11, multiple_of=4)
    gone = [name for name, channels in smallest.kept.items() if not channels]
    assert gone
    assert sum(smallest.model.arguments["depths"]) < sum(net.arguments["depths"])
    closed = copy.deepcopy(net)
    close_channels(closed, smallest.kept)
    image = images(4, 7)
    assert torch.allclose(smallest.model(image), closed(image), atol=1e-5)


def test_heads_leave_whole(images):
    """Attention made dear by many positions loses heads, and the width of a head stays."""
    net = create_model("openautoglm-test", num_classes=5, image_size=256, **{**SIZES, "depths": (1, 1, 1)}).eval()
    pruned = prune_channels(net, macs_ratio=0.4, multiple_of=8)
    (attention,) = (module for name, module in pruned.model.named_modules() if name.endswith("attention.branch"))
    assert pruned.model.arguments["heads"][0] < 4
    assert attention.value_dim == 8
    assert attention.value[0].out_channels == 8 * pruned.model.arguments["heads"][0]


def test_pruned_twice(images):
    net = trained(images, **SIZES)
    once = prune_channels(net, macs_ratio=0.7, multiple_of=4)
    twice = prune_channels(once.model, macs_ratio=0.7, multiple_of=4)
    assert twice.macs_before == once.macs
    closed = copy.deepcopy(once.model)
    close_channels(closed, twice.kept)
    assert torch.allclose(twice.model(images(3)), closed(images(3)), atol=1e-5)


def test_all_that_may_remain_remains(images):
    net = trained(images)
    pruned = prune_channels(net, macs_ratio=1.0)
    assert torch.equal(pruned.model(images(2)), net(images(2)))


def test_the_old_net_is_left_alone(images):
    net = trained(images).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    prune_channels(net, importance="taylor", batches=losses(images), macs_ratio=0.8, multiple_of=4)
    assert net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_saved_and_loaded_it_computes_the_same(images, tmp_path):
    pruned = prune_channels(trained(images, **SIZES), macs_ratio=0.5, multiple_of=8).model
    config = model_config("openautoglm-test", pruned.arguments, classes=tuple("abcde"), image_size=64)
    loaded = load_model(save_model(pruned, tmp_path, config=config))
    assert torch.equal(loaded(images(3)), pruned(images(3)))


def test_a_net_that_was_not_pruned_says_nothing_of_it():
    net = create_model("openautoglm-small", num_classes=19)
    assert not {"hidden", "heads", "value_dim"} & net.arguments.keys()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hidden": (8, 8)}, "hidden must hold 5 numbers above 0"),
        ({"hidden": (8, 8, 8, 8, 0)}, "hidden must hold 5 numbers above 0"),
        ({"heads": (2, 2)}, "heads must hold 1 numbers above 0"),
    ],
)
def test_widths_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        create_model("openautoglm-test", num_classes=5, **arguments)


def test_importances_by_hand():
    net = create_model("openautoglm-test", num_classes=5, image_size=64).eval()
    group = next(group for group in find_groups(net) if group.name == "head_dim")
    scale = torch.arange(1.0, 33.0)
    with torch.no_grad():
        net.head[0].weight.fill_(1.0)
        net.head[1].weight.copy_(scale)
        net.classifier.weight.fill_(0.5)
    found = importance_of(net, [group], kind="batch_norm")["head_dim"]
    assert torch.allclose(found, scale / scale.mean())
    # rows of the folded weight grow as the scale, columns of the classifier are alike
    found = importance_of(net, [group], kind="magnitude")["head_dim"]
    assert torch.allclose(found, (scale**2 / (scale**2).mean() + 1).sqrt())


def test_taylor_is_the_change_of_the_loss():
    net = create_model("openautoglm-test", num_classes=5, image_size=64).eval()
    group = next(group for group in find_groups(net) if group.name == "head_dim")
    image = torch.rand(2, 3, 64, 64)

    def loss(net):
        return net(image)[:, 0].sum()  # linear behind the head: first order is exact

    open_ = loss(net).item()
    found = importance_of(net, [group], kind="taylor", batches=[loss])["head_dim"]
    for channel in (0, 7):
        closed = copy.deepcopy(net)
        with torch.no_grad():
            closed.head[1].weight[channel] = 0
            closed.head[1].bias[channel] = 0
        assert found[channel].item() == pytest.approx((loss(closed).item() - open_) ** 2, abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"macs_ratio": 0.0}, "macs_ratio must lie above 0"),
        ({"macs_ratio": 0.01}, "remain when every group is at its floor"),
        ({"importance": "luck"}, "importance must be one of magnitude, batch_norm, taylor, got 'luck'"),
        ({"importance": "taylor"}, "needs batches"),
        ({"multiple_of": 0}, "multiple_of must be at least 1"),
    ],
)
def test_refusals(tiny_model, arguments, message):
    with pytest.raises(ValueError, match=message):
        prune_channels(tiny_model(), **arguments)


def test_goes_the_way_to_the_phone(images, tmp_path):
    pytest.importorskip("executorch")
    from openautoglm.compress.pt2e import convert, prepare_qat
    from openautoglm.export.backend import ExportedInput, get_backend
    from openautoglm.runtime.engines import open_engine

    pruned = prune_channels(trained(images, **SIZES), macs_ratio=0.4, multiple_of=8).model
    backend = get_backend("executorch")
    qat = prepare_qat(pruned, images(2), backend.quantizer(), batch_norm="fold").train()
    qat(images(8))
    qat.freeze()
    graph = convert(qat.eval())
    path = tmp_path / "pruned.pte"
    backend.export({"look": ExportedInput(graph, (images(1),))}, path, quantized=True)
    assert backend.census(path).is_int8
    engine = open_engine("executorch", path, method="look", output_names=("logits",), num_threads=1)
    assert torch.allclose(torch.from_numpy(engine.run(images(1, 3).numpy())), graph(images(1, 3))[0], atol=0.2)
