"""One suite over every registered name."""

from __future__ import annotations

import pytest
import torch

from openautoglm.artifacts import build_model, load_model, model_config, save_model
from openautoglm.bench.cost import count_macs
from openautoglm.models import TeacherMean, TimmClassifier, create_model, list_architectures


@pytest.mark.parametrize("name", list_architectures())
class TestEveryModel:
    def test_forward_and_backward(self, name):
        model = create_model(name, num_classes=5, image_size=64)
        logits = model(torch.rand(2, 3, 64, 64))
        assert logits.shape == (2, 5)
        logits.square().sum().backward()
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())

    def test_features_shrink_by_two(self, name):
        features = create_model(name, num_classes=5, image_size=64).forward_intermediates(torch.rand(1, 3, 64, 64))
        assert [feature.shape[-1] for feature in features] == [32, 16, 8, 4, 2]

    def test_observing_is_one_forward_pass(self, name):
        model, image = create_model(name, num_classes=5, image_size=64).eval(), torch.rand(2, 3, 64, 64)
        seen = model.observe(image)
        assert torch.equal(seen.logits, model(image))
        assert torch.equal(seen.embedding, model.features(image))
        assert [seen.at(stride).shape[-1] for stride in (2, 4, 8, 16, 32)] == [32, 16, 8, 4, 2]
        assert all(map(torch.equal, seen.features, model.forward_intermediates(image)))

    def test_glance_gives_maps_at_an_eighth(self, name):
        model = create_model(name, num_classes=5, image_size=64, glance_size=96)
        attention, box, logits = model.glance(torch.rand(2, 3, 96, 64))
        assert attention.shape == (2, 1, 12, 8)
        assert box.shape == (2, 4, 12, 8)
        assert logits.shape == (2, 5, 12, 8)
        assert (box >= 0).all()
        assert {program: p.example[0].shape[-1] for program, p in model.programs().items()} == {
            "look": 64,
            "glance": 96,
        }
        near = create_model(name, num_classes=5, image_size=64, glance_size=96, near_size=32)
        assert near.programs()["near"].example[0].shape[-1] == 32
        assert near.arguments == {**model.arguments, "near_size": 32}

    def test_saved_and_loaded_it_computes_the_same(self, name, tmp_path):
        model = create_model(name, num_classes=3, image_size=64)
        model(torch.rand(4, 3, 64, 64))
        config = model_config(name, model.arguments, classes=("a", "b", "c"), image_size=64)
        loaded = load_model(save_model(model, tmp_path, config=config))
        image = torch.rand(2, 3, 64, 64)
        assert torch.equal(loaded(image), model.eval()(image))

    def test_arguments_are_the_whole_architecture(self, name):
        model = create_model(name, num_classes=4, image_size=64)
        again = build_model({"architecture": name, "arguments": model.arguments, "classes": list("abcd")})
        assert {k: v.shape for k, v in model.state_dict().items()} == {
            k: v.shape for k, v in again.state_dict().items()
        }

    def test_program_takes_the_size_it_was_built_for(self, name):
        program = create_model(name, num_classes=4, image_size=64).programs()["look"]
        assert program.example[0].shape == (1, 3, 64, 64)

    def test_a_size_that_does_not_halve_is_refused(self, name):
        with pytest.raises(ValueError, match="image_size must be a multiple of 32, got 100"):
            create_model(name, num_classes=4, image_size=100)
        with pytest.raises(ValueError, match="glance_size must be a multiple of 32, got 100"):
            create_model(name, num_classes=4, glance_size=100)


def test_small_has_its_weight_at_low_resolution():
    model = create_model("openautoglm-small", num_classes=19)
    total = sum(p.numel() for p in model.parameters())
    early = sum(p.numel() for part in (model.stem, model.stages[0]) for p in part.parameters())
    assert total >= 1_000_000
    assert early / total < 0.1


def test_both_looks_share_all_but_their_heads():
    crops = create_model("openautoglm-small", num_classes=19)
    frames = create_model("openautoglm-small", num_classes=19, glance_size=192)
    extra = sum(p.numel() for p in frames.parameters()) / sum(p.numel() for p in crops.parameters()) - 1
    assert 0 < extra < 0.1
    assert crops.state_dict().keys() < frames.state_dict().keys()


def test_outputs_together_are_those_of_each_look():
    net = create_model("openautoglm-test", num_classes=3, image_size=64, glance_size=64, fusion="mean").eval()
    image = torch.rand(1, 3, 64, 64)
    logits, *maps = net.traced()(image)
    assert torch.equal(logits, net(image))
    assert all(torch.equal(one, other) for one, other in zip(maps, net.glance(image), strict=True))
    attention, _, _ = net.programs()["glance"].module(image)
    assert torch.allclose(attention, maps[0].sigmoid())


def test_a_net_for_crops_has_no_glance():
    net = create_model("openautoglm-test", num_classes=3)
    assert net.traced() is net
    with pytest.raises(ValueError, match="build it with glance_size, such as glance_size=192"):
        net.glance(torch.rand(1, 3, 64, 64))


def test_unknown_name_gives_the_nearest():
    with pytest.raises(ValueError, match="did you mean openautoglm-small"):
        create_model("openautoglm-smal", num_classes=2)


def test_unknown_argument_is_named():
    with pytest.raises(ValueError, match="widht"):
        create_model("openautoglm-small", num_classes=2, widht=3)


def test_timm_teacher_normalises_by_its_own_numbers():
    teacher = TimmClassifier(architecture="resnet18", num_classes=3).eval()
    image = torch.rand(1, 3, 64, 64)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    by_hand = (image - mean[:, None, None]) / std[:, None, None]
    assert torch.allclose(teacher(image), teacher.net(by_hand), atol=1e-5)


def test_unknown_teacher_names_near_ones():
    with pytest.raises(ValueError, match="timm knows no net called 'mobilenetv4_huge'; near: mobilenetv4"):
        TimmClassifier(architecture="mobilenetv4_huge", num_classes=3)


def test_missing_network_says_what_to_do(monkeypatch):
    import timm

    def offline(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(ValueError, match=r"could not be downloaded.*set stages\.teach\.pretrained=false"):
        TimmClassifier(architecture="resnet18", num_classes=3, pretrained=True)


@pytest.mark.parametrize("architecture", ["mobilenetv4_conv_small", "resnet18", "test_efficientnet", "repvit_m0_9"])
def test_timm_teacher_shows_its_maps(architecture):
    teacher = TimmClassifier(architecture=architecture, num_classes=3).eval()
    image = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        seen = teacher.observe(image)
        assert torch.allclose(seen.logits, teacher(image), atol=1e-5)
        assert seen.embedding.ndim == 2
        assert [seen.at(stride).shape[-1] for stride in (4, 8, 16, 32)] == [16, 8, 4, 2]
        assert all(map(torch.equal, seen.features, teacher.forward_intermediates(image)))


def test_mean_of_teachers_is_that_of_their_probabilities():
    class Says(torch.nn.Module):
        def __init__(self, *probabilities: float, scale: float = 0.0) -> None:
            super().__init__()
            self.logits = torch.tensor([probabilities]).log() + scale

        def forward(self, image):
            return self.logits

    mean = TeacherMean(members=[Says(0.9, 0.1, scale=30.0), Says(0.2, 0.8)])
    found = mean(torch.zeros(1, 3, 8, 8))
    assert torch.allclose(found.exp(), torch.tensor([[0.55, 0.45]]))
    with pytest.raises(ValueError, match="at least one, got none"):
        TeacherMean(members=[])


class TestEarlyExits:
    def net(self, **arguments):
        torch.manual_seed(0)
        return create_model("openautoglm-test", num_classes=3, image_size=64, exit_stages=[2, 3], **arguments).eval()

    def test_parts_of_a_look_are_the_look(self):
        net, given = self.net(), torch.rand(1, 3, 64, 64)
        expected = net.all_exits(given)
        for number, (program, logits) in enumerate(zip(list(net.programs().values())[1:], expected, strict=True)):
            found = program.module(given)
            assert program.example[0].shape == given.shape
            assert program.outputs == (("logits", "map") if number < 2 else ("logits",))
            if number < 2:
                found, given = found
            assert torch.equal(found, logits)
        assert list(net.programs()) == ["look", "look_1", "look_2", "look_3"]

    @pytest.mark.parametrize("glance", [{}, {"glance_size": 64, "fusion": "mean"}], ids=["crops", "frames"])
    def test_outputs_together_are_those_of_each_method(self, glance):
        net, image = self.net(**glance), torch.rand(1, 3, 64, 64)
        outputs = net.traced()(image)
        assert torch.equal(outputs[0], net(image))
        on_graph = net.on_graph(net.traced())
        for one, other in zip(on_graph.all_exits(image), net.all_exits(image), strict=True):
            assert torch.equal(one, other)
        features = net.forward_intermediates(image)
        programs = net.programs()
        for number, stage in enumerate(net.exit_stages):
            logits, feature = (outputs[place] for place in programs[f"look_{number + 1}"].traced)
            assert torch.equal(logits, net.all_exits(image)[number])
            assert torch.equal(feature, features[stage])
            assert torch.equal(outputs[programs[f"look_{number + 2}"].given], features[stage])
        if glance:
            for one, other in zip(on_graph.glance(image), net.glance(image), strict=True):
                assert torch.equal(one, other)
        else:
            with pytest.raises(ValueError, match="this net names crops only"):
                on_graph.glance(image)

    def test_without_exits_nothing_of_them_is_said_or_held(self):
        plain, exits = create_model("openautoglm-test", num_classes=3), self.net()
        assert not [name for name in plain.arguments if "exit" in name]
        assert plain.exit_stages == ()
        assert list(plain.programs()) == ["look"]
        assert exits.arguments["exit_stages"] == [2, 3]
        extra = exits.state_dict().keys() - plain.state_dict().keys()
        assert extra == {name for name in exits.state_dict() if name.startswith("exits.")}

    def test_the_same_seed_gives_the_same_net_below_the_exits(self):
        torch.manual_seed(0)
        plain = create_model("openautoglm-test", num_classes=3, image_size=64).eval()
        image = torch.rand(2, 3, 64, 64)
        assert torch.equal(plain(image), self.net()(image))

    def test_saved_and_loaded_it_computes_the_same(self, tmp_path):
        model = self.net()
        config = model_config("openautoglm-test", model.arguments, classes=("a", "b", "c"), image_size=64)
        loaded = load_model(save_model(model, tmp_path, config=config))
        image = torch.rand(2, 3, 64, 64)
        for one, other in zip(loaded.all_exits(image), model.all_exits(image), strict=True):
            assert torch.equal(one, other)

    def test_an_exit_costs_a_few_per_cent(self):
        net = create_model("openautoglm-small", num_classes=19, exit_stages=[3]).eval()
        programs = net.programs()
        whole, *parts = (count_macs(lambda p=p: p.module(*p.example))[0] for p in programs.values())
        assert 0.01 < sum(parts) / whole - 1 < 0.03
        assert parts[0] / whole < 0.9

    @pytest.mark.parametrize("stages", [[4], [-1], [3, 2], [3, 3]])
    def test_no_such_exit(self, stages):
        with pytest.raises(ValueError, match=r"exit_stages must name maps from 0, the one at 1/2, to 3.*such as \[3\]"):
            create_model("openautoglm-test", num_classes=3, exit_stages=stages)
