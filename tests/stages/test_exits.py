"""When an exit is believed, by figures made up here; and the whole way of a tiny net with one."""

from __future__ import annotations

import json

import numpy as np
import pytest

from openautoglm import AutoModel, Recognizer
from openautoglm.bench.result import read_results
from openautoglm.stages.exits import choose_exit, ending, named
from openautoglm.zoo import store

RUNTIMES = ("executorch", "litert", "onnx")


def answers(*rows):
    """Logits of an exit and of the end: ``((class, probability), (class, probability))`` a picture, of two classes."""
    found = np.zeros((len(rows), 2, 2), np.float32)
    for row, parts in enumerate(rows):
        for part, (name, probability) in enumerate(parts):
            found[row, part, name] = np.log(probability)
            found[row, part, 1 - name] = np.log(1 - probability)
    return found


TEN = answers(
    *[((0, 0.9), (0, 0.99))] * 6,  # sure and right
    ((1, 0.795), (0, 0.99)),  # sure and wrong
    ((1, 0.695), (0, 0.99)),
    *[((0, 0.6), (0, 0.99))] * 2,  # right, but not sure
)
LABELS = np.zeros(10, int)


def test_a_look_ends_where_it_is_sure():
    assert ending(TEN, 0.75).tolist() == [0] * 7 + [1] * 3
    assert named(TEN, ending(TEN, 0.75)).tolist() == [0] * 6 + [1] + [0] * 3


@pytest.mark.parametrize(
    ("max_loss", "sure", "share", "top1"), [(0.0, 0.8, 0.6, 1.0), (0.1, 0.7, 0.7, 0.9), (0.2, 0.05, 1.0, 0.8)]
)
def test_the_smallest_threshold_that_costs_little(max_loss, sure, share, top1):
    chosen = choose_exit(TEN, LABELS, max_loss=max_loss + 1e-6)
    assert (chosen.sure, chosen.share_early) == (sure, share)
    assert chosen.top1 == pytest.approx((1.0, top1))


def test_an_exit_that_is_sure_of_nonsense_is_never_believed():
    wrong = answers(*[((1, 0.9999), (0, 0.99))] * 4)
    chosen = choose_exit(wrong, np.zeros(4, int), max_loss=0.002)
    assert (chosen.sure, chosen.share_early, chosen.top1) == (None, 0.0, (1.0, 1.0))


@pytest.fixture(scope="module")
def exits_run(tiny_words, tmp_path_factory):
    """Alone, INT8, three files: a net with an exit at 1/16."""
    pytest.importorskip("executorch")
    from openautoglm.cli.train import main

    place = tmp_path_factory.mktemp("exits")
    given = [word for word in tiny_words if word.startswith(("data.", "model=", "trainer.", "optim."))]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv("OPENAUTOGLM_HOME", str(place / "cache"))
        words = [
            "recipe=exits_int8",
            "model.arguments.exit_stages=[3]",
            *given,
            "stage=[alone,quantize,export,verify,report]",
            "stages.alone.epochs=2",
        ]
        words += ["stages.quantize.epochs=1", "stages.verify.rounds=2", "stages.verify.max_exit_loss=0.5"]
        assert main(words) == 0
    (run,) = (place / "runs" / "exits_int8").iterdir()
    return run


def test_exits_learn_and_the_float_net_keeps_them(exits_run):
    curves = json.loads((exits_run / "alone/curves.json").read_text())
    assert curves[-1]["train_exits"] > 0
    assert json.loads((exits_run / "quantize/curves.json").read_text())[-1]["train_exits"] > 0
    assert store.find(exits_run / "alone").config["arguments"]["exit_stages"] == [3]


def test_what_is_saved_is_reported(exits_run):
    results = read_results(exits_run)
    found, row = results.exits, results.model("model.pte, early exits")
    assert 0 < found.share_early <= 1
    assert found.top1_dev[0] - found.top1_dev[1] <= found.max_loss == 0.5
    assert found.difference == pytest.approx(found.whole_top1 - found.top1)
    assert found.whole_top1 == results.model("model.pte").top1
    assert found.num_samples == found.num_dev == 39
    assert found.macs > 0
    assert found.latency_ms.rounds == 2
    assert (row.top1, row.macs, row.latency_ms) == (found.top1, found.macs, found.latency_ms)
    page = (exits_run / "report.html").read_text(encoding="utf-8")
    assert "Early exits" in page
    assert "against looking to the end" in page
    assert "of the looks end early" in next(stage.note for stage in results.stages if stage.name == "verify")


def test_every_file_is_int8_and_agrees(exits_run):
    results = read_results(exits_run)
    for runtime in RUNTIMES:
        row = next(row for row in results.models if row.runtime == runtime)
        assert row.census["float_heavy"] == []
        assert row.agreement >= 0.9


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_artifact_says_when_to_believe_and_the_recogniser_does(exits_run, runtime):
    sure = read_results(exits_run).exits.sure
    config = json.loads((exits_run / "artifact/config.json").read_text())
    manifest = json.loads((exits_run / "artifact/manifest.json").read_text())
    assert config["thresholds"] == manifest["thresholds"]["thresholds"] == {"exit": sure}
    frame = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    found = Recognizer.from_pretrained(exits_run, runtime=runtime)
    model, image = AutoModel.from_pretrained(exits_run), frame.transpose(2, 0, 1)[None] / 255
    early = model.all_exits(to_tensor(image))[0][0].softmax(0)
    found.recognize(frame)
    if abs(float(early.max()) - sure) > 0.02:
        assert found.stats.num_early == (early.max() >= sure)
    whole = Recognizer.from_pretrained(exits_run, runtime=runtime, early_exit=False)
    (hand,) = whole.recognize(frame)
    assert whole.stats.num_early == 0
    assert hand.score == pytest.approx(float(model(to_tensor(image))[0].softmax(0).max()), abs=0.03)


def to_tensor(image):
    import torch

    return torch.from_numpy(image).float()


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_evaluate_finds_the_whole_look(exits_run, tiny_words, tmp_path, runtime, monkeypatch):
    from openautoglm.cli.evaluate import main

    monkeypatch.setenv("OPENAUTOGLM_HOME", str(exits_run.parents[2] / "cache"))
    sizes, target = [word for word in tiny_words if word.startswith("data.")], tmp_path / "figures.json"
    assert main([f"artifact={exits_run}", f"runtime={runtime}", *sizes, f"json={target}"]) == 0
    row = next(row for row in read_results(exits_run).models if row.runtime == runtime)
    assert json.loads(target.read_text())["top1"] == pytest.approx(row.top1)


def test_an_exit_can_be_put_on_a_trained_net(tiny_model, tmp_path):
    """The weights of a net without exits are taken, and fresh exits stand on them."""
    from types import SimpleNamespace

    import torch

    from openautoglm.artifacts import model_config, save_model
    from openautoglm.stages.training import initial_student

    net, classes = tiny_model(), tuple("abcde")
    config = model_config("openautoglm-test", net.arguments, classes=classes, image_size=64)
    plain = save_model(net, tmp_path / "plain", config=config)
    run = SimpleNamespace(
        model="openautoglm-test",
        model_arguments={"exit_stages": [3]},
        init="plain",
        seed=0,
        image_size=64,
        source=SimpleNamespace(class_names=lambda: classes),
        find_init=lambda: plain,
    )
    model, image = initial_student(run).eval(), torch.rand(1, 3, 64, 64)
    assert torch.equal(model(image), net.eval()(image))
    assert len(model.all_exits(image)) == 2
