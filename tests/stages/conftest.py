"""One whole recipe in a tiny size, run once for all tests of the stages."""

from __future__ import annotations

from pathlib import Path

import pytest

TINY = (
    "recipe=distill_int8",
    "model=openautoglm-test",
    "teacher.architecture=test_efficientnet",
    "data.image_size=64",
    "data.num_train=120",
    "data.num_dev=39",
    "data.num_test=39",
    "data.num_workers=1",
    "optim.batch_size=20",
    "stages.teach.epochs=1",
    "stages.distill.epochs=2",
    "stages.quantize.epochs=2",
    "stages.verify.rounds=3",
    "stages.verify.groups={round: [fist, ok]}",
    "trainer.accelerator=cpu",
)


@pytest.fixture(scope="session")
def tiny_words() -> tuple[str, ...]:
    """The command of the tiny run."""
    return TINY


@pytest.fixture(scope="session")
def tiny_run(made_once) -> Path:
    """Folder of the finished run; its cache lies beside it."""
    pytest.importorskip("executorch")
    from openautoglm.cli.train import main

    def train(place: Path) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OPENAUTOGLM_HOME", str(place / "cache"))
            patch.chdir(place)
            assert main(TINY) == 0

    runs = made_once("tiny run", train) / "runs" / "distill_int8"
    return min(runs.iterdir())  # tests that stand beside it may start later ones


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Current folder and cache of a module's run."""
    folder = tmp_path_factory.mktemp("own run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAUTOGLM_HOME", str(folder / "cache"))
        patch.chdir(folder)
        yield folder


@pytest.fixture
def beside(tiny_run, monkeypatch) -> Path:
    """Stand where the tiny run was started, with its cache."""
    place = tiny_run.parents[2]
    monkeypatch.chdir(place)
    monkeypatch.setenv("OPENAUTOGLM_HOME", str(place / "cache"))
    return place
