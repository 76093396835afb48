"""A studio whose trainings are played, and the page's side of it."""

from __future__ import annotations

import contextlib
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

PLAYER = Path(__file__).parent / "player.py"
ADDRESS = "http://127.0.0.1:8610"


@dataclass
class Played:
    """Home and runs of a studio; ``open`` starts the server anew."""

    place: Path
    runs: list[Path] = field(default_factory=list)

    def trainings(self):
        from openautoglm.studio.projects import Projects
        from openautoglm.studio.training import Trainings

        projects = Projects(home=self.place / "my studio")
        return Trainings(projects=projects, make_run=self.make_run, command=self.command, num_folds=3)

    def open(self, host: str = "127.0.0.1"):
        from fastapi.testclient import TestClient

        from openautoglm.studio.server import create_app

        trainings = self.trainings()
        app = create_app(
            projects=trainings.projects, trainings=trainings, host=host, model="openautoglm-nano", runtime="litert"
        )
        return TestClient(app, base_url=ADDRESS, headers={"origin": ADDRESS})

    def make_run(self, pictures: Path, num_folds: int) -> Path:
        from player import STAGES

        run = self.place / "runs" / f"{len(self.runs)}"
        run.mkdir(parents=True)
        stages = {name: {"num_folds": num_folds} if name == "finetune" else {} for name in STAGES}
        (run / "run.json").write_text(json.dumps({"config": {"stages": stages}}))
        (run / "play").write_text("")
        self.runs.append(run)
        return run

    def command(self, run: Path) -> list[str]:
        return [sys.executable, "-I", "-S", str(PLAYER), str(run)]

    def finish(self, run: Path, how: str | None = None) -> None:
        """Let a played training end: with a released net, or as told."""
        from openautoglm.zoo import store

        (run / "play").write_text(how or str(store.RELEASED / "openautoglm-nano-crops"))


@pytest.fixture
def played(tmp_path):
    pytest.importorskip("fastapi")
    found = Played(tmp_path)
    yield found
    trainings = found.trainings()
    for name in trainings.projects.names():
        with contextlib.suppress(ValueError):
            trainings.cancel(trainings.projects.find(name))


@pytest.fixture
def client(played):
    return played.open()


@pytest.fixture(scope="session")
def jpegs() -> list[bytes]:
    """Pictures that differ."""
    from hands import as_jpeg
    from PIL import Image

    random = np.random.default_rng(0)
    return [as_jpeg(Image.fromarray(random.integers(0, 256, (40, 60, 3), dtype=np.uint8))) for _ in range(24)]


@pytest.fixture
def filled(client, jpegs):
    """A project of two gestures that can be trained."""
    client.post("/api/projects", json={"name": "mine"})
    for row, gesture in enumerate(("fist", "手 掌")):
        client.post("/api/projects/mine/gestures", json={"name": gesture})
        for picture in jpegs[6 * row : 6 * row + 6]:
            client.post(f"/api/projects/mine/gestures/{gesture}/pictures", params={"session": 1}, content=picture)
    return "/api/projects/mine"
